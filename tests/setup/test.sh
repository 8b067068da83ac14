#!/usr/bin/env bash
# Everything that `make test` does, in the order in which a mistake is cheapest to find.
set -euo pipefail
cd "$(dirname "$0")/../.."

step() { printf '\n== %s\n' "$*" >&2; }

tests/setup/toolchain.sh
tests/setup/packages.sh build test
export INSTA_UPDATE=no
before=$(git status --porcelain 2> /dev/null || true)

step "format"
cargo fmt --all --check
step "lints"
cargo clippy --locked --workspace --all-targets -- -D warnings
if command -v cargo-deny > /dev/null; then
    step "dependencies"
    cargo deny --all-features check bans licenses sources
else
    echo "cargo-deny is not installed: dependencies not checked (make tools)" >&2
fi
step "documentation tests and links"
cargo test --locked --workspace --doc --quiet
RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --locked --workspace --no-deps --document-private-items --quiet
step "package"
if command -v cargo-deb > /dev/null; then
    package=$(tests/setup/deb.sh dev)
    # What belongs to a first upload to Debian's own archive is none of ours.
    lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$package"
    tests/setup/machine.sh
else
    echo "cargo-deb is not installed: package and unit not tried under systemd (make tools)" >&2
fi
step "tests"
if cargo nextest --version > /dev/null 2>&1; then
    cargo nextest run --locked --workspace
else
    cargo test --locked --workspace --lib --bins --tests
fi
step "configuration that ships"
target=${CARGO_TARGET_DIR:-target}
for config in etc/demo etc; do
    [[ -e $config/vigia.yaml ]] && "$target/debug/vigia" validate "$config/vigia.yaml"
done
step "units"
tests/setup/units.sh

after=$(git status --porcelain 2> /dev/null || true)
if [[ $before != "$after" ]]; then
    echo "the run changed files:" >&2
    git status --short >&2
    exit 1
fi
