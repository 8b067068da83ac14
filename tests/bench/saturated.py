"""Rows at saturation: as many checks as there can be, beside the peers and the bare limit."""

import os
import time

import sites
from contestants import Blackbox, Icinga, Nagios, Nginx, Vigia, wrk
from measure import RUNS, Count, Listener, bare, median, window

HOSTS = 1000
SERVICES = HOSTS * sites.EACH
WINDOW = 4
SETTLED = 3
# More than the machine can do, so that there is always something due.
RESTLESS = "100ms"
SHELL = "concurrency: {total: 512}\n"


def vigia_window(bench, kind, listener, web_port=0, settings=SHELL):
    folder = bench.folder(f"vigia-{kind}")
    sites.vigia(os.path.join(folder, "etc"), SERVICES, RESTLESS, [kind], listener.port, web_port, settings)
    with Vigia(bench.vigia, folder) as daemon:
        time.sleep(SETTLED)
        if kind != "http":
            return window(daemon, listener, WINDOW)
        # nginx does not count for us; the daemon's own meter was compared with the listener's in the row before.
        first, cpu, begun = sum_of(daemon, kind), daemon.cpu(), time.monotonic()
        time.sleep(WINDOW)
        spent, took = daemon.cpu() - cpu, time.monotonic() - begun
        return Count(sum_of(daemon, kind) - first, took, spent)


def sum_of(daemon, kind):
    """Checks of a kind that ended well."""
    start = f'vigia_checks_total{{kind="{kind}",state="ok"}} '
    lines = daemon.get("/metrics").decode().splitlines()
    return sum(int(line[len(start) :]) for line in lines if line.startswith(start))


def nagios_window(bench, listener):
    folder = bench.folder("nagios-saturated")
    with Nagios(sites.nagios(folder, SERVICES, 1, listener.port, delay="n")) as daemon:
        time.sleep(2 * SETTLED)
        return window(daemon, listener, WINDOW)


def icinga_window(bench, listener):
    folder = bench.folder("icinga-saturated")
    with Icinga(sites.icinga(folder, SERVICES, 1, listener.port)) as daemon:
        time.sleep(4 * SETTLED)
        return window(daemon, listener, WINDOW)


def blackbox_window(bench, listener):
    folder = bench.folder("blackbox")
    with Blackbox(folder) as daemon:
        time.sleep(0.5)
        daemon.load(folder, "tcp", listener.port, HOSTS, 1)
        listener.report()
        cpu, begun = daemon.cpu(), time.monotonic()
        daemon.load(folder, "tcp", listener.port, HOSTS, WINDOW)
        return Count(listener.report()["count"], time.monotonic() - begun, daemon.cpu() - cpu)


def plugin_peers(bench, listener):
    """Three runs of nagios4 and one of icinga2, for two rows."""
    if "plugin_peers" not in bench.kept:
        nagios = [nagios_window(bench, listener) for _ in range(RUNS)]
        bench.kept["plugin_peers"] = nagios, [icinga_window(bench, listener)]
    return bench.kept["plugin_peers"]


def tcp(bench):
    with Listener(bench.bare, bench.log("listener")) as listener:
        ours, limits, boxes = [], [], []
        for _ in range(RUNS):
            limits.append(bare([bench.bare, "connect", listener.port, HOSTS, WINDOW, 256]))
            ours.append(vigia_window(bench, "tcp", listener))
            boxes.append(blackbox_window(bench, listener))
        nagios, icinga = plugin_peers(bench, listener)
    bench.raw("tcp", bare=limits, vigia=ours, blackbox_exporter=boxes, nagios4=nagios, icinga2=icinga)
    rate, cost = median(ours, "rate"), median(ours, "cpu_ms")
    what = "built-in TCP, 10,000 services at saturation"
    bench.row(what + ", checks/s", rate, "bare loop", median(limits, "rate"), at_least=0.6)
    bench.row("the same, CPU ms a check", cost, "nagios4", median(nagios, "cpu_ms"), at_least=60, inverse=True)
    bench.row("the same", cost, "icinga2", median(icinga, "cpu_ms"), inverse=True)
    bench.row("the same", cost, "blackbox_exporter", median(boxes, "cpu_ms"), at_least=8, inverse=True)
    bench.row("the same", cost, "bare loop", median(limits, "cpu_ms"), inverse=True)


def http(bench):
    folder = bench.folder("nginx")
    with Nginx(folder) as nginx, Listener(bench.bare, bench.log("listener")) as listener:
        ours, limits, boxes = [], [], []
        for _ in range(RUNS):
            limits.append(Count(*wrk(f"http://127.1.0.1:{nginx.port}/", WINDOW, "-H", "Connection: close")))
            ours.append(vigia_window(bench, "http", listener, nginx.port))
            with Blackbox(bench.folder("blackbox")) as daemon:
                time.sleep(0.5)
                daemon.load(daemon_folder(bench), "http", nginx.port, HOSTS, 1)
                cpu = daemon.cpu()
                count, seconds, _ = daemon.load(daemon_folder(bench), "http", nginx.port, HOSTS, WINDOW)
                boxes.append(Count(count, seconds, daemon.cpu() - cpu))
    bench.raw("http", wrk=limits, vigia=ours, blackbox_exporter=boxes)
    what = "built-in HTTP beside nginx at saturation"
    bench.row(what + ", checks/s", median(ours, "rate"), "wrk, one connection each", median(limits, "rate"), at_least=0.4)
    cost = median(ours, "cpu_ms")
    bench.row("the same, CPU ms a check", cost, "blackbox_exporter", median(boxes, "cpu_ms"), at_least=6, inverse=True)


def daemon_folder(bench):
    return bench.folder("blackbox")


def plugins(bench):
    with Listener(bench.bare, bench.log("listener")) as listener:
        ours, limits = [], []
        command = [sites.PLUGIN, "-H", sites.address(0), "-p", str(listener.port)]
        for _ in range(RUNS):
            limits.append(bare([bench.bare, "spawn", WINDOW, 8, *command]))
            ours.append(vigia_window(bench, "plugin", listener))
        nagios, icinga = plugin_peers(bench, listener)
    bench.raw("plugins", bare=limits, vigia=ours, nagios4=nagios, icinga2=icinga)
    what = "plugins (check_tcp) at saturation"
    bench.row(what + ", checks/s", median(ours, "rate"), "bare posix_spawn", median(limits, "rate"), at_least=0.95)
    cost = median(ours, "cpu_ms")
    bench.row("the same, CPU ms a check", cost, "nagios4", median(nagios, "cpu_ms"), at_most=0.85)
    bench.row("the same", cost, "icinga2", median(icinga, "cpu_ms"))
    bench.row("the same", cost, "bare posix_spawn", median(limits, "cpu_ms"))
