#!/usr/bin/env bash
# Builds the Debian package and prints its path. `deb.sh dev` packs the debug build, which the suite has at hand.
set -euo pipefail
cd "$(dirname "$0")/../.."
profile=${1:-release}
target=${CARGO_TARGET_DIR:-target}

tests/setup/packages.sh build
if ! command -v cargo-deb > /dev/null; then
    echo "cargo-deb is not installed: no package is made (make tools)" >&2
    exit 1
fi
cargo build --locked --quiet --profile "$profile" >&2
binary=$target/release/vigia
[[ $profile == release ]] || binary=$target/debug/vigia

# What is made from declarations.
package=$target/package
rm -rf "$package"
mkdir -p "$package"/{plugins,completions}
"$binary" man --dir "$package/man"
"$binary" completions bash > "$package/completions/vigia"
"$binary" completions fish > "$package/completions/vigia.fish"
"$binary" completions zsh > "$package/completions/_vigia"
"$binary" schema > "$package/vigia.schema.json"
# By our names and by those of monitoring-plugins.
for kind in $("$binary" check | sed -n 's/^  \([a-z0-9]*\)  .*/\1/p') pop ntp_time pgsql; do
    ln -s ../../../bin/vigia "$package/plugins/check_$kind"
done

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
gzip -9n < CHANGELOG.md > "$package/changelog.gz"
cat > "$package/changelog.debian" <<END
vigia ($version-1) unstable; urgency=medium

  * What changed for operators is in changelog.gz.

 -- The vigia developers <vigia@example.test>  $(git log -1 --format=%aD 2> /dev/null || date -R)
END
cargo deb --locked --quiet --no-build --profile "$profile" --deb-version "$version-1" --output "$package/"
