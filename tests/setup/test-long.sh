#!/usr/bin/env bash
# What takes too long for every run: the crash test at its full length, random inputs in their numbers. Prints figures;
# docs/reliability.md holds those of a dated run.
set -euo pipefail
cd "$(dirname "$0")/../.."

step() { printf '\n== %s\n' "$*" >&2; }

tests/setup/toolchain.sh
tests/setup/packages.sh build test
step "machine"
uname -srm
grep -m1 '^model name' /proc/cpuinfo || true
nproc
step "300 x kill -9 under load"
VIGIA_TEST_LIVES=300 cargo test --locked --quiet --package vigia --test it crash_long -- --nocapture
step "random inputs: 10 million a reader, 20,000 bodies for the API"
VIGIA_TEST_INPUTS=10000000 VIGIA_TEST_BODIES=20000 cargo test --locked --quiet --package vigia --test it random_input -- --nocapture --test-threads=1
step "readers private to their part, and properties"
PROPTEST_CASES=20000 cargo test --locked --quiet --workspace --lib -- panic survived garbage invariants reads_back come_back
