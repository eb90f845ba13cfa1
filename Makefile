# Two commands: `make demo` and `make test`. Both set up everything they need in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint setup tables clean

demo: $(VENV)/.ready  ## adapt a small recogniser to a made-up bad camera, from nothing (minutes)
	$(BIN)/wildstyle demo --out runs/demo

test: lint  ## style, types and all quick tests
	$(BIN)/python -m pytest -q

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: $(VENV)/.ready

# torch goes first and alone: a plain range would let pip choose a build with gigabytes of CUDA libraries.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

tables: $(VENV)/.ready  ## refill the tables in the docs from benchmarks/results
	$(BIN)/python scripts/make_tables.py

clean:
	rm -rf $(VENV) runs build dist
