# One command each; `make help` lists them. Everything lives in .venv and build folders of this
# checkout: nothing outside it is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEV := $(VENV)/.dev
PEERS := $(VENV)/peers/.done

.PHONY: help run console test check check-console check-python peers bench lab docs lock clean format
help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Holdfast needs Python 3.11 or newer: make PYTHON=/path/to/python3")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(DEV): $(VENV)/.run requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	touch $@

$(PEERS): requirements/peers.txt | $(VENV)/.run
	$(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/peers.txt
	touch $@

run: console  ## start Holdfast with four simulated partners and a stream of leads
	$(BIN)/holdfast demo

console: $(VENV)/.run  ## build the web console's bundle, when its sources changed
	$(BIN)/python console/build.py

check: $(DEV) console  ## lint, types, unit tests: under two minutes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@$(MAKE) --no-print-directory -j2 check-console check-python

check-console: $(DEV)
	$(BIN)/python console/build.py check

check-python: $(DEV)
	$(BIN)/pytest -q -n 2 -m "not slow"

peers: $(PEERS)  ## install the job libraries that the benchmarks compare with, apart

test: check peers  ## everything, with real processes, servers, browsers and simulations
	$(BIN)/python -m holdfast.testing.browser
	$(BIN)/pytest -q -n 2 -m slow --durations=20

bench: $(DEV) peers  ## measure; writes docs/reference/benchmarks.md, JSON and plots
	$(BIN)/python benchmarks/run.py

lab: $(DEV)  ## simulate every scenario and policy: an hour; writes docs/explanation/lab-results.md
	$(BIN)/python benchmarks/lab_table.py

docs: $(DEV)  ## regenerate the generated pages and the OpenAPI file
	$(BIN)/python docs/generate.py
	$(BIN)/python console/build.py client

lock: $(DEV)  ## resolve the requirement files anew
	$(BIN)/python -m pip install --quiet uv
	for set in run build dev peers; do $(BIN)/uv pip compile requirements/$$set.in --override requirements/override.in --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate -o requirements/$$set.txt; done

format: $(DEV)  ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what these commands made
	rm -rf console/node_modules src/holdfast/api/bundle $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
