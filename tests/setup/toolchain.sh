#!/usr/bin/env bash
# Says what is needed when cargo is absent or too old. Brings nothing: a toolchain is the user's choice.
set -euo pipefail
cd "$(dirname "$0")/../.."

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if ! command -v cargo > /dev/null; then
    found="no cargo in PATH"
else
    have=$(cargo --version | cut -d' ' -f2)
    [[ $(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1) == "$wanted" ]] && exit 0
    found="cargo $have"
fi
cat >&2 << MSG
vigia needs Rust $wanted or newer, and there is $found.
Debian 12's own compiler is 1.63; the toolchain from https://rustup.rs will do:
  rustup toolchain install stable
MSG
exit 1
