"""Rows without a daemon: the engine alone, loading a configuration."""

import json
import subprocess

import sites
from contestants import icinga_words
from measure import RUNS, Failed, median, run_to_end

SERVICES = 100_000


def engine(bench):
    """100,000 services; the machine's best core is the scheduler's affair."""
    for what, changes, bound in (("all of them OK again", 0, 5e6), ("10 % changes", 10, 2e6)):
        words = [bench.bare, "engine", SERVICES // sites.EACH, sites.EACH, 10, changes]
        runs = [json.loads(subprocess.run(list(map(str, words)), check=True, capture_output=True).stdout) for _ in range(RUNS)]
        bench.raw(f"engine, {what}", vigia=runs)
        rates = sorted(run["step_per_s"] for run in runs)
        bench.row(f"engine alone on one core, {what}, results/s", rates[RUNS // 2], within=("≥", bound))
        rates = sorted(run["with_agenda_per_s"] for run in runs)
        bench.row("the same, and says what is due", rates[RUNS // 2])


def validate(bench):
    for style in ("by template", "written out"):
        folder, other = bench.folder("validate"), bench.folder("validate-nagios")
        if style == "by template":
            sites.vigia(folder, SERVICES, "5m", ["tcp"], 8080)
        else:
            sites.vigia_written_out(folder, SERVICES, 8080)
        main = sites.nagios(other, SERVICES, 300, 8080, by_template=style == "by template")
        ours, theirs = [], []
        for _ in range(RUNS):
            ours.append(run_to_end([bench.vigia, "-c", folder, "validate"]))
            theirs.append(run_to_end(["nagios4", "-v", main]))
        if f"Checked {SERVICES} services" not in theirs[0].said:
            raise Failed(f"nagios4 counts otherwise: {theirs[0].said[-600:]}")
        for one in ours + theirs:
            del one.said
        bench.raw(f"validate, {style}", vigia=ours, nagios4=theirs)
        what = f"validate 100,000 services, {style}"
        bench.row(what, median(ours, "seconds"), "nagios4 -v", median(theirs, "seconds"), at_most=1, unit=" s")
        bench.row("the same, CPU", median(ours, "cpu"), "nagios4 -v", median(theirs, "cpu"), unit=" s")
        memory = median(ours, "rss_mb"), median(theirs, "rss_mb")
        bench.row("the same, memory", memory[0], "nagios4 -v", memory[1], at_most=1.5, unit=" MB")
    folder = bench.folder("validate-icinga")
    done = run_to_end(icinga_words(folder, sites.icinga(folder, SERVICES, 300, 8080), "-C"))
    del done.said
    bench.raw("validate, by rule", icinga2=[done])
    bench.row("the same by its rules, once", median(ours, "seconds"), "icinga2 daemon -C", done.seconds, unit=" s")
