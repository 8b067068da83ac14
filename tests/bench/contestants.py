"""Who is measured: vigia, and each peer set up as its manual says for large installations."""

import http.client
import json
import os
import re
import subprocess

import sites
from measure import Failed, Process, UnixConnection, free_port, until

HTTP = {"Content-Type": "application/json"}


class Vigia(Process):
    """A daemon on a configuration in `folder/etc`."""

    def __init__(self, program, folder):
        self.port = free_port()
        self.state = os.path.join(folder, "state")
        words = [program, "serve", "-c", os.path.join(folder, "etc"), "--state-dir", self.state, "--strict"]
        super().__init__([*words, "--listen", f"127.0.0.1:{self.port}"], os.path.join(folder, "vigia.log"))

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def admin(self):
        """The control socket: its peer may do everything."""
        return UnixConnection(os.path.join(self.state, "control.sock"))

    def get(self, path, connection=None):
        connection = connection or self.connection()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 303:
            return self.get(answer.headers["Location"], connection)
        if answer.status != 200:
            raise Failed(f"{path}: {answer.status} {body[:300]!r}")
        return body

    def is_up(self):
        self.check()
        try:
            return self.get("/readyz")
        except (OSError, Failed, http.client.HTTPException):
            return None

    def lateness(self):
        """How many checks started how late: cumulative counts by bound, over all kinds."""
        found = {}
        for line in self.get("/metrics").decode().splitlines():
            match = re.match(r'vigia_check_lateness_seconds_bucket\{kind="[^"]*",le="([^"]*)"\} (\d+)', line)
            if match:
                bound = float(match[1].replace("+Inf", "inf"))
                found[bound] = found.get(bound, 0) + int(match[2])
        return found


def lateness_ms(before, after, part=0.99):
    """So late is at most this part of the checks between the two; between bounds they are taken as even."""
    counts = sorted((bound, count - before.get(bound, 0)) for bound, count in after.items())
    wanted = part * counts[-1][1]
    low = below = 0
    for bound, count in counts:
        if count >= wanted:
            return 1000 * (low + (bound - low) * (wanted - below) / max(count - below, 1))
        low, below = bound, count
    return float("inf")


class Nagios(Process):
    def __init__(self, main_file):
        folder = os.path.dirname(main_file)
        super().__init__(["nagios4", main_file], os.path.join(folder, "stdout.log"))
        self.commands = os.path.join(folder, "nagios.cmd")


class Icinga(Process):
    def __init__(self, main_file):
        folder = os.path.dirname(main_file)
        super().__init__(icinga_words(folder, main_file), os.path.join(folder, "stdout.log"))


def icinga_words(folder, main_file, *more):
    where = {"DataDir": "data", "CacheDir": "cache", "LogDir": "log", "SpoolDir": "spool", "InitRunDir": "run"}
    words = ["icinga2", "daemon", "-c", main_file, "--log-level", "warning", *more]
    words += ["-DConfiguration.RunAsUser=root", "-DConfiguration.RunAsGroup=root"]
    for name, part in where.items():
        os.makedirs(os.path.join(folder, part), exist_ok=True)
        words.append(f"-DConfiguration.{name}={os.path.join(folder, part)}")
    return words


class Blackbox(Process):
    def __init__(self, folder):
        self.port = free_port()
        where = f"--web.listen-address=127.0.0.1:{self.port}"
        words = ["prometheus-blackbox-exporter", f"--config.file={sites.blackbox(folder)}", where, "--log.level=error"]
        super().__init__(words, os.path.join(folder, "blackbox.log"))

    def load(self, folder, module, port, hosts, seconds):
        """Asks for probes as fast as they come; gives how many were answered."""
        target = f'"127.1." .. math.floor(n / 250) .. "." .. (1 + n % 250) .. ":{port}"'
        if module == "http":
            target = f'"http://" .. {target} .. "/"'
        script = sites.write(
            folder,
            f"{module}.lua",
            f'local n = 0\nrequest = function()\n n = (n + 1) % {hosts}\n'
            f' return wrk.format("GET", "/probe?module={module}&target=" .. {target})\nend\n',
        )
        return wrk(f"http://127.0.0.1:{self.port}/", seconds, "-s", script)


class Nginx(Process):
    def __init__(self, folder):
        self.port = free_port()
        super().__init__(["nginx", "-e", f"{folder}/nginx-error.log", "-c", sites.nginx(folder, self.port)], f"{folder}/nginx.log")
        until(lambda: answers(self.port), 10)


def answers(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False


def wrk(url, seconds, *more):
    """Answers in that time, and the CPU that asking took."""
    before = os.times()
    done = subprocess.run(
        ["wrk", "-t2", "-c64", f"-d{seconds}s", *more, url], check=True, capture_output=True, text=True
    ).stdout
    after = os.times()
    match = re.search(r"(\d+) requests in ([\d.]+)s", done)
    if not match or "Non-2xx" in done:
        raise Failed(f"wrk: {done}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return int(match[1]), float(match[2]), cpu


def post(connection, path, body):
    connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), HTTP)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise Failed(f"{path}: {answer.status} {said[:300]!r}")
    return json.loads(said)


def versions():
    """Of everything that is measured, for the page."""
    asked = {
        "nagios4": ["nagios4", "--version"],
        "icinga2": ["icinga2", "--version"],
        "blackbox_exporter": ["prometheus-blackbox-exporter", "--version"],
        "monitoring-plugins": ["/usr/lib/nagios/plugins/check_tcp", "--version"],
        "nginx": ["nginx", "-v"],
        "wrk": ["wrk", "-v"],
        "nmap": ["nmap", "--version"],
    }
    found = {}
    for name, words in asked.items():
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        match = re.search(r"\d+\.\d+[\w.]*(?:-[\w.+]+)?", done.stdout + done.stderr)
        found[name] = match[0] if match else "?"
    return found
