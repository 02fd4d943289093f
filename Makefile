# Everything a newcomer types. Needs Python 3.11 or newer and make; installs nothing outside this folder.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked
# Three on two cores: who starts servers waits while others reckon.
WORKERS ?= 3
TURNS := --dist loadfile --no-loadscope-reorder
TESTS ?=

# The first of these that really runs (a version manager's shim may be there and answer "not found").
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3.14 python3 python; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$name; break; }; done)

UV ?= $(shell command -v uv 2>/dev/null || echo .venv-lock/bin/uv)

# Where Python may keep no compiled files, every process compiles all anew, and pytest rewrites every assertion again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up demo test exhaustive quick lint bench lock install clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(STAMP) ## start everything; UP="--port 9000" adds flags
	$(BIN)/sojourn up $(UP)

demo: $(STAMP) ## start everything on a fast clock, fed by a recorded shop and played readers
	$(BIN)/sojourn up --data-dir var/demo --time-scale 3600 --feed examples/online_retail.jsonl.gz --engage 0.3 $(UP)

test: $(STAMP) ## run the tests, and those of the store once more on PostgreSQL; TESTS="tests/unit -k router" narrows them
	$(BIN)/python -m pytest -n $(WORKERS) $(TURNS) -m "not exhaustive" $(TESTS)
	SOJOURN_TEST_STORE=postgresql $(BIN)/python -m pytest -n $(WORKERS) $(TURNS) -m "store and not exhaustive" $(TESTS) || [ $$? -eq 5 ] # none of them is of the store

exhaustive: export SOJOURN_TEST_EVERY_CASE := 1
exhaustive: $(STAMP) ## run whole corpora, every case of each law, many seeds and long kills, which `make test` samples
	$(BIN)/python -m pytest -n $(WORKERS) $(TURNS) -m "exhaustive or law" $(TESTS) || [ $$? -eq 5 ]
	SOJOURN_TEST_STORE=postgresql $(BIN)/python -m pytest -n $(WORKERS) $(TURNS) -m "store and (exhaustive or law)" $(TESTS) || [ $$? -eq 5 ]

quick: $(STAMP) ## run the tests that take no seconds
	$(BIN)/python -m pytest -n $(WORKERS) $(TURNS) -m "not slow and not real and not exhaustive" $(TESTS)

lint: $(STAMP) ## run the quality gates
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

bench: $(STAMP) ## measure; see bench/RESULTS.md
	$(BIN)/python -m bench

install: $(STAMP) ## make the virtual environment

# The lock is installed as it stands, every file checked against its hash; then the project itself, built with what the lock holds.
$(STAMP): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Sojourn needs Python 3.11 or newer; none was found. Install one, or say where it is: make PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock: ## resolve pyproject.toml anew into requirements.txt, for every platform and Python, without naming a registry
	@test -n "$(PYTHON)" || { echo "Sojourn needs Python 3.11 or newer."; exit 1; }
	@command -v $(UV) >/dev/null 2>&1 || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv; }
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group dev -o requirements.txt $(LOCK)

clean: ## remove the virtual environment and caches; the data under var/ stays
	rm -rf $(VENV) .venv-lock .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
