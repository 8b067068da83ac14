#!/usr/bin/env python3
"""`make bench`: vigia beside its peers and beside the bare limits, one table. `run.py --help` says how."""

import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

import doors
import large
import saturated
import scan
import small
from contestants import versions
from measure import Failed

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
PAGE = os.path.join(ROOT, "docs/performance.md")
ROWS = {
    "tcp": saturated.tcp,
    "http": saturated.http,
    "plugins": saturated.plugins,
    "engine": small.engine,
    "validate": small.validate,
    "start": large.start,
    "mixed": large.mixed,
    "edit": large.edit,
    "passive": doors.passive,
    "pages": doors.pages,
    "growth": large.growth,
    "scan": scan.scan,
}
# Seconds for one row; a machine on which it takes longer is not one to measure on.
ROW_LIMIT = 240
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


class Bench:
    def __init__(self, target):
        self.target = target
        self.work = os.path.join(target, "bench", "work")
        self.vigia, self.bare = programs()
        self.kept = {}
        self.rows = []
        self.results = open(os.path.join(target, "bench", "results.jsonl"), "a", encoding="utf-8")

    def folder(self, name):
        """An empty one."""
        path = os.path.join(self.work, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def log(self, name):
        return os.path.join(self.work, f"{name}.log")

    def raw(self, what, **counts):
        for who, runs in counts.items():
            for run in runs:
                said = run.raw() if hasattr(run, "raw") else run
                line = {"at": int(time.time()), "what": what, "who": who, **said}
                self.results.write(json.dumps(line) + "\n")
        self.results.flush()

    def row(self, what, ours, who="", theirs=None, at_least=None, at_most=None, inverse=False, within=None, unit=""):
        """`at_least` and `at_most` are of the ratio ours/theirs (inverse: theirs/ours), `within` is of ours alone."""
        ratio = None
        if theirs is not None:
            ratio = theirs / ours if inverse else ours / theirs
        target, is_reached = "", None
        if at_least is not None:
            target, is_reached = f"≥ {at_least:g} ×", ratio >= at_least
        if at_most is not None:
            target, is_reached = f"≤ {at_most:g} ×", ratio <= at_most
        if within is not None:
            sign, bound = within
            target = f"{sign} {number(bound)}{unit}"
            is_reached = ours >= bound if sign == "≥" else ours <= bound
        cells = [
            what,
            number(ours) + unit,
            f"{number(theirs)}{unit} ({who})" if theirs is not None else "",
            f"{ratio:.2f}" if ratio is not None else "",
            target,
            {True: "yes", False: "**no**", None: ""}[is_reached],
        ]
        self.rows.append(cells)
        print("  " + "  ".join(cell for cell in cells if cell), flush=True)

    def table(self):
        head = ["what", "vigia", "beside", "ratio", "target", "reached"]
        widths = [max(len(row[at]) for row in [head, *self.rows]) for at in range(len(head))]
        line = lambda cells: "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"
        return "\n".join([line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, self.rows)])


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def programs():
    """The daemon and the bare loops, as cargo built them."""
    words = "cargo build --release --locked -p vigia -p vigia-bench --bin vigia --bin bare --message-format=json"
    said = subprocess.run(words.split(), cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    made = [json.loads(line) for line in said.splitlines()]
    found = {one["target"]["name"]: one["executable"] for one in made if one.get("executable")}
    return found["vigia"], found["bare"]


def machine():
    """What kind of machine this is, without whose."""
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        model = next((line.split(":")[1].strip() for line in text if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"


def busy():
    """How much of the machine others use, before anything of ours runs."""

    def read():
        with open("/proc/stat", encoding="ascii") as text:
            times = list(map(int, text.readline().split()[1:9]))
        return sum(times), times[3] + times[4]

    (all_before, idle_before), _ = read(), time.sleep(2)
    all_after, idle_after = read()
    return 1 - (idle_after - idle_before) / max(all_after - all_before, 1)


def write_page(table, heading):
    with open(PAGE, encoding="utf-8") as text:
        page = text.read()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    with open(PAGE, "w", encoding="utf-8") as text:
        text.write(f"{before}{BEGIN}\n{heading}\n\n{table}\n{END}{after}")


def too_long(*_):
    raise Failed(f"it took longer than {ROW_LIMIT} s")


def main():
    # Whoever ends us ends what we started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    signal.signal(signal.SIGALRM, too_long)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help=f"these alone, with commas: {' '.join(ROWS)}")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    asked = parser.parse_args()
    wanted = [row for row in asked.rows.split(",") if row] or list(ROWS)
    if unknown := [row for row in wanted if row not in ROWS]:
        sys.exit(f"no such row: {' '.join(unknown)}; there are {' '.join(ROWS)}")
    target = os.path.realpath(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")))
    os.makedirs(os.path.join(target, "bench", "work"), exist_ok=True)
    bench = Bench(target)
    others = busy()
    failed = []
    for name in wanted:
        begun = time.monotonic()
        print(f"{name}:", flush=True)
        signal.alarm(ROW_LIMIT)
        try:
            ROWS[name](bench)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            failed.append(name)
            print(f"  not measured: {error}", flush=True)
        signal.alarm(0)
        print(f"  ({time.monotonic() - begun:.0f} s)", flush=True)
    shutil.rmtree(bench.work, ignore_errors=True)
    quiet = "quiet" if others < 0.1 else f"not quiet: others used {100 * others:.0f} % of it at the beginning"
    named = ", ".join(f"{name} {version}" for name, version in versions().items())
    day = datetime.date.today().isoformat()
    heading = f"Measured on {day}, {machine()}; the machine was {quiet}. {named}."
    print(f"\n{heading}\n\n{bench.table()}\n\nsingle runs: {bench.results.name}")
    if asked.write:
        write_page(bench.table(), heading)
    sys.exit(f"not measured: {' '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
