#!/usr/bin/env bash
# Makes the small Debian in which the suite boots a real systemd: target/machine/debian.tar, from the package sources that
# this machine uses. Once; afterwards it is there. Says in a line why where it cannot be made, and the tests then say so.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${CARGO_TARGET_DIR:-target}/machine
image=$folder/debian.tar
[[ -f $image ]] && exit 0

mkdir -p "$folder"
if [[ $(id -u) -ne 0 ]]; then
    echo "no machine for the tests of systemd: only root may boot one" >&2
    exit 0
fi
echo "making a small Debian for the tests of systemd" >&2
contents=systemd,systemd-sysv,dbus,libssl3,tzdata,ca-certificates,procps,monitoring-plugins-basic
if ! mmdebstrap --format=tar --variant=minbase --include="$contents" bookworm "$image.part" > "$folder/log" 2>&1; then
    tail -n 3 "$folder/log" >&2
    echo "no machine for the tests of systemd: mmdebstrap could not make one; its output is in $folder/log" >&2
    exit 0
fi
mv "$image.part" "$image"
