"""Rows with a large site that runs on its schedule: start, lateness and memory, edits, growth."""

import os
import time

import sites
from contestants import Nagios, Nginx, Vigia, lateness_ms
from measure import RUNS, Listener, until, window

SERVICES = 100_000
INTERVAL = 300
# Of ten services of a host.
MIXED = ["tcp", "tcp", "tcp", "tcp", "tcp", "tcp", "http", "http", "ping", "plugin"]
WINDOW = 15
GROWTH = [1_000, 10_000, 100_000, 1_000_000]
# A million services every five minutes.
GROWTH_RATE = 1_000_000 / INTERVAL
GROWTH_WINDOW = 8
SETTLING = 0.5
MORE_EDITS = 10


def site(bench, name, services, interval, kinds, listener, web_port=0):
    folder = bench.folder(name)
    sites.vigia(os.path.join(folder, "etc"), services, interval, kinds, listener.port, web_port)
    return folder


def timed(daemon, listener, seconds):
    """Windows of a daemon's life: how busy, how late, how large."""
    counts = []
    for _ in range(RUNS):
        before = daemon.lateness()
        count = window(daemon, listener, seconds)
        count.late_ms = lateness_ms(before, daemon.lateness())
        count.core_per_cent = 100 * count.cpu / count.seconds
        count.rss_mb = daemon.rss_mb()
        counts.append(count)
    return counts


def middle(counts, of):
    return sorted(getattr(one, of) for one in counts)[len(counts) // 2]


def first_check(listener, process):
    """Seconds from the start of the process to its first connection, which the listener is to see next."""

    def seen():
        process.check()
        report = listener.report()
        return report["count"] and time.monotonic() - process.begun - (report["at_s"] - report["first_s"])

    return until(seen, 120)


def each_second(listener, seconds):
    counts = []
    for _ in range(seconds):
        time.sleep(1)
        counts.append(listener.report()["count"])
    return counts


def start(bench):
    firsts, minute = [], []
    with Listener(bench.bare, bench.log("listener")) as listener:
        for run in range(RUNS):
            folder = site(bench, "start", SERVICES, "5m", ["tcp"], listener)
            listener.report()
            with Vigia(bench.vigia, folder) as daemon:
                firsts.append(first_check(listener, daemon))
                if run == RUNS - 1:
                    minute = each_second(listener, 60)
        folder = bench.folder("nagios-start")
        main = sites.nagios(folder, SERVICES, INTERVAL, listener.port)
        listener.report()
        with Nagios(main) as daemon:
            theirs = first_check(listener, daemon)
    bench.raw("start", vigia=[{"first_s": first} for first in firsts] + [{"first_minute": minute}], nagios4=[{"first_s": theirs}])
    first, mean = sorted(firsts)[RUNS // 2], SERVICES / INTERVAL
    bench.row("start with 100,000 services → first check", first, "nagios4, once", theirs, within=("≤", 1.0), unit=" s")
    bench.row("the first minute beside the mean", 100 * abs(sum(minute) / 60 / mean - 1), within=("≤", 20), unit=" % off")
    tens = [sum(minute[at : at + 10]) / 10 for at in range(0, 60, 10)]
    bench.row("the same, its worst ten seconds", 100 * max(abs(ten / mean - 1) for ten in tens), unit=" % off")


def mixed(bench):
    with Listener(bench.bare, bench.log("listener")) as listener, Nginx(bench.folder("nginx")) as nginx:
        folder = site(bench, "mixed", SERVICES, "5m", MIXED, listener, nginx.port)
        with Vigia(bench.vigia, folder) as daemon:
            until(daemon.is_up, 60)
            time.sleep(WINDOW)
            counts = timed(daemon, listener, WINDOW)
    bench.raw("mixed", vigia=counts)
    what = "100,000 services every 5 minutes (60 % TCP, 20 % HTTP, 10 % ping, 10 % plugin)"
    bench.row(what + ", p99 lateness", middle(counts, "late_ms"), within=("≤", 50), unit=" ms")
    bench.row("the same, of one core, plugins included", middle(counts, "core_per_cent"), within=("≤", 15), unit=" %")
    bench.row("the same, memory", middle(counts, "rss_mb"), within=("≤", 300), unit=" MB")


def edit(bench):
    """One host's file is written anew, as an editor does; memory after a day of such edits."""
    with Listener(bench.bare, bench.log("listener")) as listener:
        folder = site(bench, "edit", SERVICES, "5m", ["tcp"], listener)
        with Vigia(bench.vigia, folder) as daemon:
            until(daemon.is_up, 60)
            time.sleep(5)
            quiet = window(daemon, listener, 5)
            live, counts = [], []
            for run in range(RUNS):
                live.append(until_live(daemon, folder, f"seen {run}"))
            for run in range(RUNS):
                rewrite(folder, f"unseen {run}")
                counts.append(window(daemon, listener, 5))
            before = daemon.rss_mb()
            for run in range(MORE_EDITS):
                until_live(daemon, folder, f"seen again {run}")
            after = daemon.rss_mb()
    for count in counts:
        count.extra_cpu_s = count.cpu - quiet.cpu
    bench.raw("edit", vigia=counts, live=[{"live_s": one} for one in live])
    bench.row("one host edited among 100,000 services → live after settling", 1000 * sorted(live)[RUNS // 2], within=("≤", 500), unit=" ms")
    bench.row("the same, longest gap between check starts", middle(counts, "longest_gap_ms"), within=("≤", 50), unit=" ms")
    bench.row("the same gap without an edit", quiet.longest_gap_ms, unit=" ms")
    bench.row("the same, CPU of the reload", middle(counts, "extra_cpu_s"), unit=" s")
    bench.row(f"the same, memory after {2 * RUNS} edits", before, unit=" MB")
    bench.row(f"the same, memory after {MORE_EDITS} more", after, unit=" MB")


def rewrite(folder, alias):
    path = os.path.join(folder, "etc", "conf.d", "hosts-000500.yaml")
    lines = [sites.vigia_host(500, f", alias: {alias}")] + [sites.vigia_host(host) for host in range(501, 600)]
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write("hosts:\n" + "".join(lines))
    os.rename(path + ".new", path)


def until_live(daemon, folder, alias):
    connection = daemon.connection()
    rewrite(folder, alias)
    begun = time.monotonic()
    until(lambda: alias.encode() in daemon.get("/api/v1/hosts/host-000500", connection), 30, poll=0.01)
    return time.monotonic() - begun - SETTLING


def growth(bench):
    """The same rate of checks at every size, so that only the size differs."""
    sizes = {}
    with Listener(bench.bare, bench.log("listener")) as listener:
        with Vigia(bench.vigia, site(bench, "empty", sites.EACH, "5m", ["tcp"], listener)) as daemon:
            until(daemon.is_up, 60)
            time.sleep(1)
            empty = daemon.rss_mb()
        for services in GROWTH:
            interval = f"{1000 * services / GROWTH_RATE:.0f}ms"
            with Vigia(bench.vigia, site(bench, "growth", services, interval, ["tcp"], listener)) as daemon:
                until(daemon.is_up, 120)
                time.sleep(GROWTH_WINDOW)
                sizes[services] = timed(daemon, listener, GROWTH_WINDOW)
    for services, counts in sizes.items():
        bench.raw(f"growth, {services} services", vigia=counts)
    rows_of_growth(bench, sizes, empty)


def rows_of_growth(bench, sizes, empty):
    million = sizes.get(1_000_000)
    if million:
        what = "1,000,000 services every 5 minutes (built-in TCP)"
        wanted = 0.95 * GROWTH_RATE
        bench.row(what + ", checks/s", middle(million, "rate"), within=("≥", wanted))
        bench.row("the same, p99 lateness", middle(million, "late_ms"), within=("≤", 250), unit=" ms")
        bench.row("the same, of one core", middle(million, "core_per_cent"), unit=" %")
        bench.row("the same, memory", middle(million, "rss_mb"), within=("≤", 2048), unit=" MB")
    bench.row("memory of vigia with ten services", empty, unit=" MB")
    first = None
    for services, counts in sizes.items():
        cost = middle(counts, "cpu_ms")
        bytes_each = (middle(counts, "rss_mb") - empty) * 2**20 / services
        first = first or cost
        bench.row(f"{services:,} services at {GROWTH_RATE:,.0f} checks/s, CPU ms a check", cost, "the smallest", first, at_most=1.2)
        bench.row("the same, bytes a service beyond the empty daemon", bytes_each)
