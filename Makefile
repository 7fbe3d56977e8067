# Ten targets at most. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
export UV_CACHE_DIR ?= $(CURDIR)/.venv/cache
STATIC := src/njord/gateway/static
WEB_SOURCES := $(shell find web/src web/public -type f) $(addprefix web/,index.html package.json package-lock.json tsconfig.json vite.config.ts)
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

run: setup web  ## start the platform: market, accounts, API and web app
	$(BIN)/njord run $(ARGS)

web: $(STATIC)/index.html  ## build the web app, where its sources are newer

$(STATIC)/index.html: $(WEB_SOURCES)
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2>/dev/null || { echo "the web app needs Node 20 or newer, and there is $$(node --version 2>/dev/null || echo none)"; exit 1; }
	cd web && npm ci --ignore-scripts --no-audit --no-fund --silent && npm run --silent build
	@touch $@

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
	rm -rf .venv out web/node_modules $(STATIC) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.PHONY: help setup run web test check bench docs lock clean
