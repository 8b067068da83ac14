"""Rows through the doors of a large site: passive results in batches, pages, metrics, viewers."""

import json
import os
import selectors
import socket
import threading
import time

import large
import sites
from contestants import Nagios, Vigia, lateness_ms, post
from measure import RUNS, Failed, Listener, until

SERVICES = 100_000
BATCH = 10_000
SENDERS = 5
ROUNDS = 20
VIEWERS = 1000


def batch(first, mark):
    """As JSON: results of `BATCH` services in the order of the site."""
    results = [
        {"host": f"host-{at // sites.EACH:06}", "service": f"s{at % sites.EACH}", "state": 0, "output": f"OK {mark}"}
        for at in range(first, first + BATCH)
    ]
    return json.dumps({"results": results}).encode()


def passive(bench):
    folder = bench.folder("passive")
    services = "".join(f"      s{number}: passive\n" for number in range(sites.EACH))
    etc = os.path.join(folder, "etc")
    text = f"defaults: {{contacts: []}}\ntemplates:\n  box:\n    check: off\n    services:\n{services}"
    sites.write(etc, "vigia.yaml", text + "hosts:\n" + "".join(map(sites.vigia_host, range(SERVICES // sites.EACH))))
    runs = []
    with Vigia(bench.vigia, folder) as daemon:
        until(daemon.is_up, 60)
        for run in range(RUNS):
            runs.append(hand_in(daemon, run))
        shown = daemon.get("/api/v1/services?limit=10000&host=host-009*")
    last = json.loads(shown)
    wrong = [one for one in last["items"] if one["plugin_output"] != f"OK {RUNS - 1}"]
    if last["total"] != BATCH or wrong:
        raise Failed(f"{len(wrong)} of {last['total']} show an older result: {wrong[:1]}")
    theirs = passive_nagios(bench)
    bench.raw("passive", vigia=runs, nagios4=[theirs])
    rates = sorted(run["per_s"] for run in runs)
    lost = sum(run["sent"] - run["taken"] for run in runs)
    what = "passive results through the API, 10,000 a batch, results/s"
    bench.row(what, rates[RUNS // 2], "nagios4, command file", theirs["per_s"], within=("≥", 200_000))
    bench.row("the same, lost", lost, within=("≤", 0))
    costs = sorted(run["cpu_s"] / run["taken"] * 1e6 for run in runs)
    cost = theirs["cpu_s"] / theirs["sent"] * 1e6
    bench.row("the same, CPU µs a result", costs[RUNS // 2], "nagios4", cost)


def hand_in(daemon, run):
    """Each sender has its part of the services, and gives it several times."""
    part = SERVICES // SENDERS
    bodies = [[batch(first, run) for first in range(at, at + part, BATCH)] for at in range(0, SERVICES - part + 1, part)]
    taken = [0] * SENDERS

    def send(number):
        connection = daemon.admin()
        for turn in range(ROUNDS // 2):
            for body in bodies[number]:
                taken[number] += post(connection, "/api/v1/results", body)["accepted"]

    senders = [threading.Thread(target=send, args=(number,)) for number in range(SENDERS)]
    cpu, begun = daemon.cpu(), time.monotonic()
    for one in senders:
        one.start()
    for one in senders:
        one.join()
    took = time.monotonic() - begun
    # What is still to be written belongs to it.
    time.sleep(2)
    sent = sum(map(len, bodies)) * BATCH * (ROUNDS // 2)
    return {"sent": sent, "taken": sum(taken), "per_s": sum(taken) / took, "cpu_s": daemon.cpu() - cpu}


def passive_nagios(bench):
    """Written into the command file as fast as it takes them; the end is when it has nothing more to do."""
    folder = bench.folder("nagios-passive")
    main = sites.nagios(folder, SERVICES, 300, 1, active=0, commands=1)
    now = int(time.time())
    line = f"[{now}] PROCESS_SERVICE_CHECK_RESULT;host-%06d;s%d;0;OK\n"
    lines = "".join(line % (at // sites.EACH, at % sites.EACH) for at in range(SERVICES)).encode()
    with Nagios(main) as daemon:
        until(lambda: os.path.exists(daemon.commands), 30)
        time.sleep(2)
        cpu = before = daemon.cpu()
        begun = time.monotonic()
        with open(daemon.commands, "wb", buffering=0) as pipe:
            for _ in range(10):
                pipe.write(lines)
        ended = time.monotonic()
        while True:
            time.sleep(0.1)
            now = daemon.cpu()
            if now - before < 0.02:
                break
            before, ended = now, time.monotonic()
        daemon.check()
        sent = 10 * SERVICES
        return {"sent": sent, "per_s": sent / (ended - begun), "cpu_s": daemon.cpu() - cpu}


# `{}` is another two digits each time, so that no answer is the one before.
PAGES = {
    "Service Detail, filtered and paged": "/services?host=host-00{}*&limit=100&offset=100",
    "Service Detail, unfiltered": "/services?limit=100&offset={}00",
    "a host's page": "/hosts/host-00{}00",
    "a service's page": "/hosts/host-00{}00/services/s1",
    "problems": "/problems?limit=1{}",
    "search": "/search?q=0{}1",
    "API, services by text": "/api/v1/services?q=host-00{}&limit=100",
}
ASKED = 200


def pages(bench):
    with Listener(bench.bare, bench.log("listener")) as listener:
        folder = large.site(bench, "pages", SERVICES, "5m", ["tcp"], listener)
        with Vigia(bench.vigia, folder) as daemon:
            until(daemon.is_up, 60)
            time.sleep(10)
            before = daemon.lateness()
            time.sleep(10)
            quiet_ms = lateness_ms(before, daemon.lateness())
            before = daemon.lateness()
            for what, path in PAGES.items():
                page(bench, daemon, what, path)
            whole_metrics(bench, daemon)
            busy_ms = lateness_ms(before, daemon.lateness())
            viewers(bench, daemon)
    bench.row("p99 lateness of checks while pages were asked for", busy_ms, "before", quiet_ms, unit=" ms")


def page(bench, daemon, what, path):
    connection, took = daemon.connection(), []
    for number in range(ASKED):
        begun = time.perf_counter()
        daemon.get(path.format(f"{number % 100:02}"), connection)
        took.append(1000 * (time.perf_counter() - begun))
    took.sort()
    bench.raw("pages", vigia=[{"page": what, "p50_ms": took[ASKED // 2], "p99_ms": took[ASKED * 99 // 100]}])
    bench.row(f"{what}, at 100,000 services, p99", took[ASKED * 99 // 100], within=("≤", 30), unit=" ms")


def whole_metrics(bench, daemon):
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        size = len(daemon.get("/metrics"))
        took.append(1000 * (time.perf_counter() - begun))
    bench.raw("metrics", vigia=[{"ms": one, "bytes": size} for one in took])
    bench.row(f"/metrics whole, {size / 2**20:.0f} MB", sorted(took)[2], within=("≤", 400), unit=" ms")


def viewers(bench, daemon):
    """Event streams of different pages, read by one thread that throws away what comes."""
    quiet = core_per_cent(daemon, 5)
    read = selectors.DefaultSelector()
    paths = ["view=services", "view=problems", "view=overview", "view=hosts"]
    for number in range(VIEWERS):
        peer = socket.create_connection(("127.0.0.1", daemon.port))
        request = f"GET /api/v1/events?{paths[number % 4]} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        peer.sendall(request.encode())
        peer.setblocking(False)
        read.register(peer, selectors.EVENT_READ)
    heads, done = [], threading.Event()

    def drain():
        seen = set()
        while not done.is_set():
            for key, _ in read.select(0.2):
                got = key.fileobj.recv(1 << 16)
                if key.fd not in seen:
                    seen.add(key.fd)
                    heads.append(got[:12])

    reader = threading.Thread(target=drain)
    reader.start()
    time.sleep(5)
    watched = core_per_cent(daemon, 10)
    done.set()
    reader.join()
    for key in list(read.get_map().values()):
        key.fileobj.close()
    good = sum(head == b"HTTP/1.1 200" for head in heads)
    if good != VIEWERS:
        raise Failed(f"{good} of {VIEWERS} viewers were let in: {set(heads)}")
    bench.raw("viewers", vigia=[{"quiet_core_per_cent": quiet, "watched_core_per_cent": watched}])
    bench.row("1,000 viewers of live pages, of one core", watched - quiet, within=("≤", 20), unit=" %")


def core_per_cent(daemon, seconds):
    cpu, begun = daemon.cpu(), time.monotonic()
    time.sleep(seconds)
    return 100 * (daemon.cpu() - cpu) / (time.monotonic() - begun)
