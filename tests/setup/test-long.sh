#!/usr/bin/env bash
# What takes too long for every run, at its full length, in the profile `long`. Prints figures; docs/reliability.md holds those
# of a dated run. With words, only the parts that are named: kills inputs probes properties soak machine.
set -euo pipefail
cd "$(dirname "$0")/../.."

step() { printf '\n== %s\n' "$*" >&2; }
parts=${*:-kills inputs probes properties soak machine}
wants() { [[ " $parts " == *" $1 "* ]]; }
# Always both: another choice of packages would build the dependencies anew, with other features.
run() { time cargo test --locked --quiet --profile long --package vigia --package vigia-checks "$@"; }

tests/setup/toolchain.sh
tests/setup/packages.sh build test
step "machine"
uname -srm
grep -m1 '^model name' /proc/cpuinfo || true
nproc
if wants kills; then
    step "300 x kill -9 under load"
    VIGIA_TEST_LIVES=300 run --test it crash_long -- --nocapture
fi
if wants inputs; then
    step "damaged inputs: 10 million a reader, 20,000 bodies for the API"
    VIGIA_TEST_INPUTS=10000000 VIGIA_TEST_BODIES=20000 run --test it random_input -- --nocapture --test-threads=1
    VIGIA_TEST_INPUTS=10000000 run --lib -- survived --nocapture --test-threads=1
fi
if wants probes; then
    step "damaged conversations: 10 million a kind of check"
    VIGIA_TEST_INPUTS=10000000 run --lib -- tests::damaged --nocapture
fi
if wants properties; then
    step "properties"
    PROPTEST_CASES=20000 run --lib -- panic garbage invariants reads_back come_back
fi
if wants soak; then
    step "24 simulated days of 5,000 services"
    VIGIA_TEST_SOAK_HOURS=576 run --test it soak -- --nocapture
fi
if wants machine; then
    step "a real systemd"
    tests/setup/deb.sh dev > /dev/null
    tests/setup/machine.sh
    cargo test --locked --quiet --package vigia --test it systemd -- --nocapture
fi
