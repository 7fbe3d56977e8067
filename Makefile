# Ten targets at most. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
export UV_CACHE_DIR ?= $(CURDIR)/.venv/cache
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | expand -t 12

setup: .venv/ready  ## make .venv with the njord command in it

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "njord needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8

.venv/ready: pyproject.toml requirements.lock | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

run: setup  ## generate a market, import it, backtest the examples, write the reports
	$(BIN)/njord run

test: setup  ## every test that needs no external server
	$(BIN)/python -m pytest -n 2 --run-slow $(ARGS)

check: setup  ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## compare with the peers, each in its own environment
	$(BIN)/python benchmarks/peers.py

docs: setup  ## build the API reference into out/api
	$(BIN)/python -m pdoc -o out/api njord njord.strategies.port njord.engine.config

lock: $(BIN)/uv  ## resolve requirements.lock again
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --all-extras --group dev pyproject.toml --output-file requirements.lock

clean:  ## remove what set-up and runs made
	rm -rf .venv out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.PHONY: help setup run test check bench docs lock clean
