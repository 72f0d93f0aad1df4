# make demo · make test · make check · make bench: each sets up what it needs.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup demo test check bench soak screenshots wheel-test clean
help:
	@echo "make demo         a simulated plant, the gateway and the board (ARGS=\"--for 60s\" compares with the truth)"
	@echo "make test         all tests; installs real servers from Debian's packages when it may"
	@echo "make check        ruff, mypy --strict, import contracts"
	@echo "make bench        benchmarks, one JSON line each"
	@echo "make soak         proofs of the KPIs with ever new seeds (ARGS=\"--minutes 60\")"
	@echo "make screenshots  pictures for the docs, from the running program (ARGS=\"--shifts docs/scenarios\": of whole shifts too)"

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Lineside needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Use: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing: install it with  apt install python3-venv  and run make again"; exit 1; }
	@echo "setting up .venv (once; about a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)

setup: $(READY)

demo: $(READY)
	@$(BIN)/lineside demo $(ARGS)

test: $(READY)
	@scripts/install-debian
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	@scripts/install-debian
	$(BIN)/python -m tests.benchmarks $(ARGS)

soak: $(READY)
	$(BIN)/python -m tests.soak $(ARGS)

screenshots: $(READY)
	@scripts/install-debian
	$(BIN)/python -m tests.browser.screenshots docs/pictures $(ARGS)

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
