# Each target is a line or a script in tests/setup/. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help run test test-long core lint deb docs deny bench accept tools

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: ## build vigia and watch this machine with it (etc/demo/, state in ./var)
	@tests/setup/run.sh

test: ## everything: format, lints, all tests against real servers, docs, units
	@tests/setup/test.sh

test-long: ## 300 x kill -9, ten million damaged inputs a reader, 24 days of 5,000 services: hours
	@tests/setup/test-long.sh

core: ## the tests of the core alone: seconds
	cargo test --package vigia-core

lint: ## format and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

deb: ## the Debian package; prints its path
	@tests/setup/deb.sh

docs: ## write the generated pages anew
	VIGIA_WRITE_DOCS=1 cargo test --quiet --test it generated_pages

deny: ## licences, bans and sources of all dependencies
	cargo deny --all-features check bans licenses sources

bench: ## beside the peers and bare limits, one table; ROWS=tcp,scan,… for some of it
	@tests/setup/toolchain.sh
	@tests/setup/packages.sh build bench
	@python3 -B tests/bench/run.py $(if $(ROWS),--rows $(ROWS),--write)

accept: ## take changed snapshots, after reading them
	INSTA_UPDATE=always cargo test --workspace

tools: ## cargo-nextest, cargo-deny and cargo-deb, which `make test` uses where they are
	cargo install --locked cargo-nextest cargo-deny cargo-deb
