#!/usr/bin/env python3
"""Scans beside nmap, on one network of our own: wall time, CPU and memory. Needs root, iproute2 and nmap.

Two namespaces joined by a cable. Behind it lie a network in which everybody answers, one in which five do, and
one of 65,536 addresses; the scanning one has a loopback without listeners."""

import atexit
import os
import subprocess
import sys
import tempfile
import time

VIGIA = sys.argv[1] if len(sys.argv) > 1 else "target/release/vigia"
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
    begun = time.monotonic()
    child = subprocess.Popen(
        ["ip", "netns", "exec", NEAR, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(words)}: {said}")
    return time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main():
    network()
    folder = tempfile.mkdtemp()
    os.mkdir(f"{folder}/etc")
    open(f"{folder}/etc/vigia.yaml", "w").close()
    base = [VIGIA, "-c", f"{folder}/etc", "--state-dir", f"{folder}/state", "discover", "-n", "-y", "-o", "json"]
    rows = [
        ("loopback, 65,535 ports", ["127.0.0.1", "--scan", "full"], ["-sT", "-p1-65535", "127.0.0.1"]),
        ("one host, 65,535 ports", ["198.51.100.7", "--scan", "full"], ["-sT", "-p1-65535", "198.51.100.7"]),
        ("/24, all up, who is there", ["198.51.100.0/24", "--scan", "ping"], ["-sn", "198.51.100.0/24"]),
        ("/24, 5 up, who is there", ["203.0.113.0/24", "--scan", "ping"], ["-sn", "203.0.113.0/24"]),
        ("256 hosts, 37 ports", ["198.51.100.0/24", "--scan", FAST], ["-sT", "-p", FAST, "198.51.100.0/24"]),
        ("the same, DNS and NTP too", ["198.51.100.0/24", "--scan", "fast"], None),
        ("/16, all up, who is there", ["10.77.0.0/16", "--scan", "ping"], None),
    ]
    print(f"{'-T4, best of 3':28}{'wall s':>16}{'CPU s':>16}{'MB':>14}   (vigia / nmap)")
    for name, ours, theirs in rows:
        all_ours = [measure([*base, "-T4", *ours]) for _ in range(3 if theirs else 1)]
        all_theirs = [measure(["nmap", "-T4", "-n", *theirs]) for _ in range(3)] if theirs else None
        cells = []
        for at, digits in ((0, 2), (1, 2), (2, 0)):
            of = [f"{min(run[at] for run in runs):.{digits}f}" if runs else "-" for runs in (all_ours, all_theirs)]
            cells.append(" / ".join(of))
        print(f"{name:28}{cells[0]:>16}{cells[1]:>16}{cells[2]:>14}", flush=True)


main()
