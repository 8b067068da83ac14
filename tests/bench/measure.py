"""Starting, counting and ending what is measured: processes with all below them, the listener, medians."""

import atexit
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
RUNS = 3
_running = []


class Failed(Exception):
    """A contestant did not do what it is measured at; said in the table's place."""


def _table():
    """Of every process its parent and its CPU seconds, ended children included."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        found[int(name)] = (int(fields[1]), sum(map(int, fields[11:15])) / TICK)
    return found


def family(pid):
    """The process and all below it, with their CPU seconds."""
    table = _table()
    below = {}
    for child, (parent, _) in table.items():
        below.setdefault(parent, []).append(child)
    found, waiting = {}, [pid]
    while waiting:
        one = waiting.pop()
        if one in table:
            found[one] = table[one][1]
            waiting.extend(below.get(one, []))
    return found


class Group:
    """A control group: counts the CPU of whatever ran in it, to the nanosecond, ended or not. None where we may not."""

    # Of the two kinds of control groups: where they are, the file that counts, what stands before the number.
    KINDS = [
        ("/sys/fs/cgroup/cpuacct", "cpuacct.usage", r"^(\d+)", 1e9),
        ("/sys/fs/cgroup", "cpu.stat", r"usage_usec (\d+)", 1e6),
    ]
    made = 0

    @classmethod
    def make(cls):
        for root, file, pattern, second in cls.KINDS:
            Group.made += 1
            path = f"{root}/vigia-bench-{os.getpid()}-{Group.made}"
            if not os.access(f"{root}/cgroup.procs", os.W_OK):
                continue
            try:
                os.mkdir(path)
            except OSError:
                continue
            if os.path.exists(f"{path}/{file}"):
                return cls(path, f"{path}/{file}", pattern, second)
            os.rmdir(path)
        return None

    def __init__(self, path, file, pattern, second):
        self.path, self.file, self.pattern, self.second = path, file, pattern, second

    def enter(self, words):
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh", *words]

    def cpu(self):
        with open(self.file, encoding="ascii") as text:
            return int(re.search(self.pattern, text.read())[1]) / self.second

    def members(self):
        with open(f"{self.path}/cgroup.procs", encoding="ascii") as text:
            return [int(line) for line in text]

    def remove(self):
        for _ in range(50):
            try:
                return os.rmdir(self.path)
            except OSError:
                time.sleep(0.1)


class Process:
    """Something that runs until it is stopped; in a session of its own, so that all of it can be ended."""

    def __init__(self, words, log, **more):
        self.log = log
        self.begun = time.monotonic()
        self.group = Group.make()
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", open(log, "wb"))
        entered = self.group.enter(words) if self.group else words
        self.child = subprocess.Popen(entered, stderr=open(log, "ab"), start_new_session=True, **more)
        self.name = words[0]
        _running.append(self)

    @property
    def pid(self):
        return self.child.pid

    def members(self):
        return self.group.members() if self.group else list(family(self.pid))

    def cpu(self):
        return self.group.cpu() if self.group else sum(family(self.pid).values())

    def rss_mb(self):
        """Resident memory; pages that several of them share are counted once."""
        total = 0
        for pid in self.members():
            try:
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as text:
                    total += int(re.search(r"Pss:\s+(\d+)", text.read())[1])
            except (OSError, TypeError):
                continue
        return total / 1024

    def check(self):
        if self.child.poll() is not None:
            with open(self.log, encoding="utf-8", errors="replace") as text:
                raise Failed(f"{self.name} ended: {text.read()[-1500:]}")

    def stop(self, grace=20):
        if self in _running:
            _running.remove(self)
        below = [pid for pid in self.members() if pid != self.pid]
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(grace)
            except subprocess.TimeoutExpired:
                pass
        # Its own session, and what left that session but was below it; a group knows who is there now.
        below = self.members() if self.group else below
        for end, whom in [(os.killpg, self.pid)] + [(os.kill, pid) for pid in below]:
            try:
                end(whom, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.child.wait()
        if self.group:
            self.group.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


@atexit.register
def _end_all():
    for one in list(_running):
        one.stop(grace=2)


class Listener(Process):
    """Takes and closes connections; what happened since the last question is answered by `report`."""

    def __init__(self, bare, log):
        super().__init__([bare, "listen", "0"], log, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = json.loads(self.child.stdout.readline())["port"]

    def report(self):
        self.child.stdin.write(b"\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())


class Count:
    """What a window of time brought: how many, how fast, at what cost."""

    def __init__(self, count, seconds, cpu, **more):
        self.count, self.seconds, self.cpu = count, seconds, cpu
        self.rate = count / seconds
        self.cpu_ms = 1000 * cpu / max(count, 1)
        self.__dict__.update(more)

    def raw(self):
        return dict(self.__dict__)


def window(process, listener, seconds):
    """Connections at the listener, and the CPU that made them."""
    process.check()
    first, cpu = listener.report(), process.cpu()
    time.sleep(seconds)
    spent, last = process.cpu() - cpu, listener.report()
    process.check()
    if last["count"] == 0:
        raise Failed(f"{process.name} made no connection in {seconds} s; its log: {process.log}")
    return Count(
        last["count"],
        last["at_s"] - first["at_s"],
        spent,
        longest_gap_ms=last["longest_gap_ms"],
        listener_cpu_ms=1000 * (last["cpu_s"] - first["cpu_s"]) / last["count"],
    )


def median(counts, of):
    return statistics.median(getattr(one, of) for one in counts)


def run_to_end(words, **more):
    """Wall time, CPU and greatest memory of a program and its children."""
    begun = time.monotonic()
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise Failed(f"{' '.join(words)}: {said.decode(errors='replace')[-1500:]}")
    cpu = used.ru_utime + used.ru_stime
    return Count(1, time.monotonic() - begun, cpu, rss_mb=used.ru_maxrss / 1024, said=said.decode(errors="replace"))


def bare(words):
    """One of the bare loops; it counts itself."""
    done = json.loads(subprocess.run(list(map(str, words)), check=True, capture_output=True).stdout)
    if done["failed"] > done["count"] / 100:
        raise Failed(f"{words}: {done['failed']} of {done['count']} failed")
    return Count(done["count"], done["wall_s"], done["cpu_s"])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, wait, poll=0.02):
    """Waits until `what` gives something, and gives it."""
    end = time.monotonic() + wait
    while time.monotonic() < end:
        given = what()
        if given:
            return given
        time.sleep(poll)
    raise Failed(f"not within {wait} s")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self.path)
