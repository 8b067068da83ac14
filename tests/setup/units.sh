#!/usr/bin/env bash
# The units are clean under systemd-analyze. It wants the programs that they name to exist, so they are checked
# in a folder with a copy that names the one just built.
set -euo pipefail
cd "$(dirname "$0")/../.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
binary=$(realpath "${CARGO_TARGET_DIR:-target}/debug/vigia")
for unit in systemd/*.service systemd/examples/*.socket; do
    [[ -e $unit ]] || continue
    sed "s#/usr/bin/vigia#$binary#g" "$unit" > "$scratch/${unit##*/}"
done
for unit in "$scratch"/*; do
    complaints=$(systemd-analyze verify --man=no "$unit" 2>&1 || true)
    if [[ -n $complaints ]]; then
        echo "$complaints" >&2
        exit 1
    fi
done
echo "units verified" >&2
