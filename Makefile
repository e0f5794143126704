# `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help
help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: venv
venv: $(READY) ## Make .venv with all that development needs

# Its own name comes last, so that an interrupted installation is done again.
$(READY): pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	@echo "Setting up $(VENV) with $$("$(PYTHON)" --version) (a minute or two the first time)"
	@"$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --editable '.[dev]' 2>&1 | sed -unE 's/^Collecting ([^ ]+).*/  \1/p; s/^Installing.*/  installing/p; /[Ee][Rr][Rr][Oo][Rr]/p'
	@touch $@

.PHONY: demo
demo: $(READY) ## Two simulated nodes, from an empty volume group to running domains and back (3 to 4 minutes)
	@exec $(BIN)/python -m demo.run

.PHONY: demo-shell
demo-shell: $(READY) ## The same cluster, and a shell to play with it
	@exec $(BIN)/python -m demo.shell

.PHONY: lab-packages
lab-packages: ## Install what the lab needs from Debian, with apt and as root (lab/packages.txt)
	apt-get update
	apt-get install --yes --no-install-recommends $$(grep -v '^#' lab/packages.txt)

.PHONY: test
test: $(READY) ## Run every test
	@# One at a time to whoever has nothing to do: some take a millisecond, some a minute.
	@$(BIN)/pytest --numprocesses 2 --maxschedchunk 1 --ignore-glob='tests/integration/test_guard*'
	@# Guards keep real time, and a machine that is busy with something else looks like a node that is lost: beside them run guards
	@# alone, which wait for most of theirs.
	@$(BIN)/pytest --numprocesses 2 --dist loadfile tests/integration/test_guard*.py

.PHONY: lab
lab: $(READY) ## Two emulated nodes with real Xen, DRBD and LVM, and a shell to play with them (as root)
	@exec $(BIN)/python -m lab shell

.PHONY: lab-down
lab-down: $(READY) ## End the lab; the disks of its nodes stay
	@exec $(BIN)/python -m lab down

.PHONY: lab-test
lab-test: $(READY) ## Run every test on the nodes of the lab (hours: a case takes one or two minutes)
	@exec $(BIN)/pytest -p no:logging tests/lab

.PHONY: lab-smoke
lab-smoke: $(READY) ## Run the one story on the nodes of the lab that CI runs (a quarter of an hour)
	@exec $(BIN)/pytest -p no:logging tests/lab/test_smoke.py

.PHONY: lint
lint: $(READY) ## Check format, style, types, the direction of imports, SLS and YAML
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/salt-lint $$(git ls-files '*.sls')
	$(BIN)/yamllint --strict .yamllint $$(git ls-files '*.yaml' '*.yml' 'pillar/*.sls' salt/states/top.sls)
	@# With an __init__.py, this directory would hide Salt itself from every Python that is started in the checkout.
	@test ! -e salt/__init__.py || { echo 'salt/__init__.py must not exist: it would hide Salt'; exit 1; }

N ?= 1000
FROM ?= 0
JOBS ?= $(shell nproc)
.PHONY: soak
soak: $(READY) ## Take simulated clusters through N=1000 schedules of faults, FROM=0 on, with JOBS processes
	@$(BIN)/python -m soak -n $(N) --from $(FROM) --jobs $(JOBS)

.PHONY: bench
bench: $(READY) ## Measure, and print the figures as a table
	@$(BIN)/python -m bench

.PHONY: lab-bench
lab-bench: $(READY) ## Measure on the nodes of the lab: migration, evacuation, failover (an hour and a half)
	@$(BIN)/python -m bench lab

.PHONY: docs
docs: $(READY) ## Write the generated pages under docs/reference again
	@$(BIN)/python docs/generate.py

.PHONY: wheel
wheel: $(READY) ## Build dist/saltern-VERSION-py3-none-any.whl
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

.PHONY: clean
clean: ## Remove all that was made here
	@test ! -e .lab/run/wiring.json || $(MAKE) lab-down
	rm -rf $(VENV) .demo .lab build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
