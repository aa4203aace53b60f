# Every target is one script; `make help` lists them.

.PHONY: help build fetch console demo test e2e check bench eval fuzz

help: ## List what there is to make
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  ARGS="…" hands on arguments: make demo ARGS="--for 90s --no-wait", make e2e ARGS=nginx, make bench ARGS=decode'

build: ## Build the console and the release binary: target/release/tokenwatch
	@deploy/dev/build.sh release

fetch: ## Fetch the embedded engine and the geo databases, once
	@deploy/fetch/fetch.sh

console: ## Build the console's files
	@deploy/dev/console.sh build

demo: ## Show all of it on this machine: simulated gateways, attacks, the console
	@deploy/dev/demo.sh $(ARGS)

test: ## Run every test, end to end ones too
	@deploy/dev/test.sh

e2e: ## Run the end-to-end tests alone
	@deploy/dev/e2e.sh $(ARGS)

check: ## Formatting, lints, types
	@deploy/dev/check.sh

bench: ## Run the benchmarks
	@deploy/dev/bench.sh $(ARGS)

eval: ## Tell how well detection does on simulated traffic
	@deploy/dev/eval.sh $(ARGS)

fuzz: ## Fuzz the decoder, a minute for each target
	@deploy/dev/fuzz.sh $(ARGS)
