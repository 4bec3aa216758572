# `make` prints this help. `make demo` and `make test` need a machine with python3 and make, nothing else.

export PATH := $(PATH):/usr/sbin:/sbin:$(CURDIR)/.venv/bin
BIN := .venv/bin
READY := .venv/.ready
DEV := .venv/.ready-dev

.DEFAULT_GOAL := help
.PHONY: help setup dev tools demo lab test acceptance chain soak campaign mutants bench check format constraints clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## two real WireGuard tunnels on this machine: break one, see traffic move
	@$(BIN)/wgfo lab demo

test: dev ## all tests, network ones included, in namespaces of their own; ARGS="-k word" narrows
	@scripts/bootstrap monitoring
	@scripts/bootstrap browser
	@$(if $(ARGS),scripts/contained $(BIN)/python -m pytest $(ARGS),scripts/test)

acceptance: dev ## failover of real packets, a dark site at PHASES=50 random phases
	@PHASES=$(or $(PHASES),50) scripts/contained $(BIN)/python -m pytest tests/acceptance

soak: dev ## WORLDS=1000 random worlds from SEED=1, every invariant checked after every step
	@$(BIN)/python -m tests.simulation.soak --worlds $(or $(WORLDS),1000) --seed $(or $(SEED),1)

campaign: dev ## what is promised of chance, over hundreds of seeds (an hour); ARGS="s05 s07" narrows
	@$(BIN)/python -m tests.simulation.seeds $(ARGS)

chain: dev ## failover by Prometheus and Alertmanager against failover by wgfo's own packets, in seconds
	@scripts/bootstrap monitoring
	@scripts/contained $(BIN)/python -m tests.chain.measure

mutants: dev ## break the engine in every small way, a test must fail each time; MODULE="window faults" narrows
	@nice -n 10 $(BIN)/python -m tests.mutation $(MODULE) $(ARGS)

bench: dev ## how long the hot paths take here
	@for script in tests/bench/[a-z]*.py; do \
		echo "$$script"; scripts/contained $(BIN)/python -m tests.bench.$$(basename $$script .py) || exit 1; \
	done

check: dev ## ruff, mypy and the import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: dev ## let ruff format the tree
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lab: setup ## bring that lab up and leave it up; `wgfo lab down` removes it
	$(BIN)/wgfo lab up

setup: tools $(READY) ## Debian packages that are missing, and .venv with wgfo[linux]; demo and lab do it first

dev: setup $(DEV) ## all plugins and the development tools as well; the others do it first

tools:
	@scripts/bootstrap system

$(READY): pyproject.toml plugins/linux/pyproject.toml constraints.txt scripts/bootstrap
	@scripts/bootstrap venv
	@touch $@

$(DEV): $(READY) $(wildcard plugins/*/pyproject.toml)
	@scripts/bootstrap dev
	@touch $@

constraints: tools ## refresh constraints.txt with the newest versions that fit
	@scripts/bootstrap constraints

clean: ## remove .venv, caches and build results
	rm -rf .venv dist build htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
