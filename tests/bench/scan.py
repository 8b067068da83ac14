"""Scans beside nmap, on one network of our own: wall time, CPU and memory. Needs root, iproute2 and nmap.

Two namespaces joined by a cable. Behind it lie a network in which everybody answers, one in which five do, and
one of 65,536 addresses; the scanning one has a loopback without listeners."""

import atexit
import os
import subprocess

import sites
from measure import RUNS, Failed, median, run_to_end

NEAR, FAR = f"vigia-near-{os.getpid()}", f"vigia-far-{os.getpid()}"
FAST = (
    "21,22,23,25,53,80,110,113,115,135,139,143,161,389,443,445,465,554,587,993,995,1194,1241,1433,3000,3128,"
    "3306,3389,5060,5432,5900,6667,8080,8443,9100,9390,27017"
)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def network():
    atexit.register(lambda: [subprocess.run(["ip", "netns", "del", name], check=False) for name in (NEAR, FAR)])
    for name in (NEAR, FAR):
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
    ip("-n", NEAR, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", FAR)
    for name, address in ((NEAR, "192.0.2.1/30"), (FAR, "192.0.2.2/30")):
        ip("-n", name, "addr", "add", address, "dev", "cable")
        ip("-n", name, "link", "set", "cable", "up")
    ip("-n", NEAR, "route", "add", "default", "via", "192.0.2.2")
    for everybody in ("198.51.100.0/24", "10.77.0.0/16"):
        ip("-n", FAR, "route", "add", "local", everybody, "dev", "lo")
    ip("-n", FAR, "route", "add", "blackhole", "203.0.113.0/24")
    for last in range(10, 60, 10):
        ip("-n", FAR, "route", "add", "local", f"203.0.113.{last}", "dev", "lo")
    # Of refusals the kernel sends a thousand a second unless it is told otherwise; both would measure that.
    for setting in ("net.ipv4.icmp_ratelimit=0", "net.ipv4.icmp_msgs_per_sec=1000000"):
        subprocess.run(["ip", "netns", "exec", FAR, "sysctl", "-qw", setting], check=False)


def measure(words):
    return run_to_end(["ip", "netns", "exec", NEAR, *words])


# What, how vigia is asked, how nmap is.
SCANS = [
    ("loopback, 65,535 ports", ["127.0.0.1", "--scan", "full"], ["-sT", "-p1-65535", "127.0.0.1"]),
    ("one host, 65,535 ports", ["198.51.100.7", "--scan", "full"], ["-sT", "-p1-65535", "198.51.100.7"]),
    ("/24, all up, who is there", ["198.51.100.0/24", "--scan", "ping"], ["-sn", "198.51.100.0/24"]),
    ("/24, 5 up, who is there", ["203.0.113.0/24", "--scan", "ping"], ["-sn", "203.0.113.0/24"]),
    ("256 hosts, 37 ports", ["198.51.100.0/24", "--scan", FAST], ["-sT", "-p", FAST, "198.51.100.0/24"]),
]


def scan(bench):
    if os.geteuid() != 0:
        raise Failed("networks of its own can be made by root alone")
    network()
    folder = bench.folder("scan")
    sites.write(f"{folder}/etc", "vigia.yaml", "")
    base = [bench.vigia, "-c", f"{folder}/etc", "--state-dir", f"{folder}/state", "discover", "-n", "-y", "-o", "json"]
    for name, asked, of_nmap in SCANS:
        ours = [measure([*base, "-T4", *asked]) for _ in range(RUNS)]
        theirs = [measure(["nmap", "-T4", "-n", *of_nmap]) for _ in range(RUNS)]
        bench.raw(f"scan: {name}", vigia=ours, nmap=theirs)
        seconds = [median(runs, "seconds") for runs in (ours, theirs)]
        bench.row(f"scan -T4, {name}", seconds[0], "nmap", seconds[1], at_most=1, unit=" s")
        bench.row("the same, CPU", median(ours, "cpu"), "nmap", median(theirs, "cpu"), at_most=0.34, unit=" s")
        bench.row("the same, memory", median(ours, "rss_mb"), "nmap", median(theirs, "rss_mb"), unit=" MB")
