#!/usr/bin/env bash
# Builds the release binary and starts it on the demo, with its state in ./var.
set -euo pipefail
cd "$(dirname "$0")/../.."

tests/setup/toolchain.sh
tests/setup/packages.sh build
cargo build --release --locked
exec "${CARGO_TARGET_DIR:-target}/release/vigia" serve -c etc/demo/vigia.yaml --state-dir var "$@"
