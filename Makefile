# Targets of evalkit. Everything runs in .venv, made from the lock file when that changes.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= reports/demo.html
RUNS ?= runs
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE  # or every process of the tests compiles evalkit again

.DEFAULT_GOAL := help
.PHONY: help setup demo sample test test-long test-slow test-cov check coverage format bench schema lock clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "evalkit needs Python 3.11 or newer; name one with PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --no-deps --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

setup: $(VENV)/.ready ## Make .venv with everything in it

$(VENV)/parquet/.ready: requirements-parquet.lock $(VENV)/.ready
	$(BIN)/pip install --quiet --require-hashes --no-deps --upgrade --target $(@D) --requirement $<
	@touch $@

demo: $(VENV)/.ready ## Run, grade blind and report an example against a simulated API (no key needed)
	$(BIN)/evalkit demo --output $(OUT) --runs $(RUNS)

sample: $(VENV)/.ready ## Renew reports/sample.html, which the README shows, and its picture from the demo's run
	$(BIN)/evalkit demo --output reports/sample.html --runs $(RUNS)
	$(BIN)/python tests/picture.py reports/sample.html reports/sample.png

test: $(VENV)/.ready $(VENV)/parquet/.ready ## Run the tests, but for those that take seconds each
	$(PYTEST)

test-long: $(VENV)/.ready $(VENV)/parquet/.ready ## Run those: whole commands, browsers, kills; CI runs both
	$(PYTEST) -m long

test-slow: $(VENV)/.ready $(VENV)/parquet/.ready ## Run all, the simulations and endurance tests too
	$(PYTEST) -m 'slow or not slow'

coverage: $(VENV)/.ready ## Simulate how often each interval holds the truth; renews the table in docs/statistics.md
	$(BIN)/python tests/stats/coverage_table.py

test-cov: $(VENV)/.ready $(VENV)/parquet/.ready ## Run the tests and show which lines and branches they miss
	$(PYTEST) -m 'not slow' --cov --cov-report=term-missing:skip-covered

check: $(VENV)/.ready ## Check format, lint, types, layers, sizes and what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/sizes.py
	$(BIN)/python tests/ci_lint.py

schema: $(VENV)/.ready ## Renew the JSON Schemas of the report and of routers from the records
	$(BIN)/python -c 'from evalkit.report import json_schema; print(json_schema(), end="")' > evalkit/schemas/report.schema.json.new
	mv evalkit/schemas/report.schema.json.new evalkit/schemas/report.schema.json
	$(BIN)/python -c 'from evalkit.rendering.json import dump; from evalkit.routing.export import router_schema; print(dump(router_schema()), end="")' > evalkit/schemas/router.schema.json.new
	mv evalkit/schemas/router.schema.json.new evalkit/schemas/router.schema.json

format: $(VENV)/.ready ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

bench: $(VENV)/.ready ## Measure the product against yardsticks; BARS="5 10" takes some, ROUNDS=1 is faster, QUICK=1 only tries the rig
	PYTHONPATH=tests $(BIN)/python -m bench $(BARS)

lock: $(VENV)/.ready ## Renew the lock files from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --no-strip-extras --generate-hashes --no-header --group dev pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --no-deps --generate-hashes --no-header --group parquet --output-file requirements-parquet.lock

clean: ## Remove .venv and what tools leave behind
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
