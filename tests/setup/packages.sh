#!/usr/bin/env bash
# Brings the Debian packages of the groups named (see packages.txt) that are not there yet.
#
# As root they are installed without starting or enabling any service: the suite starts its own servers, on
# free ports, with their own data. Where that is not possible it says what is missing and ends with 1.
set -euo pipefail
cd "$(dirname "$0")"

# Brought and unpacked, not installed: which needs no rights.
servers=$(cd ../.. && realpath -m "${CARGO_TARGET_DIR:-target}/servers")
unpack() {
    local scratch
    scratch=$(mktemp -d)
    chmod 755 "$scratch"
    # dpkg makes the last folder of a path only, and a fresh clone has no target folder yet.
    mkdir -p "$servers"
    echo "unpacking $1" >&2
    bring() { (cd "$scratch" && apt-get download "$1" > log 2>&1 && dpkg -x "$1"_*.deb "$servers"); }
    # A machine that never asked its sources knows no packages.
    if ! bring "$1" && ! { apt-get update > /dev/null 2>&1 && bring "$1"; }; then
        cat "$scratch/log" >&2
        echo "the package $1 could not be brought: install it, or run this again with a network" >&2
        exit 1
    fi
    rm -r "$scratch"
}

missing=()
while read -r group package proof; do
    [[ $group == \#* || -z $group ]] && continue
    if [[ $group == unpack && " $* " == *" test "* ]]; then
        [[ -e $proof || -e $servers$proof ]] || unpack "$package"
        continue
    fi
    [[ " $* " == *" $group "* ]] || continue
    [[ -e $proof ]] || missing+=("$package")
done < packages.txt
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $(id -u) -ne 0 ]] || ! command -v apt-get > /dev/null; then
    {
        echo "These Debian packages are missing:"
        printf '  %s\n' "${missing[@]}"
        echo "Install them as root, then run this again:"
        echo "  apt-get install --no-install-recommends ${missing[*]}"
    } >&2
    exit 1
fi

echo "installing ${missing[*]}" >&2
policy=/usr/sbin/policy-rc.d
units() { systemctl list-unit-files --state=enabled --no-legend 2> /dev/null | cut -d' ' -f1 | sort; }
enabled_before=$(units || true)
if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
log=$(mktemp)
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } > "$log" 2>&1
then
    tail -n 30 "$log" >&2
    echo "apt-get could not install them; its whole output is in $log" >&2
    exit 1
fi
rm -f "$log"
comm -13 <(echo "$enabled_before") <(units || true) | while read -r unit; do
    [[ -z $unit ]] || systemctl disable "$unit" > /dev/null 2>&1 || true
done
