# One word per task; `make help` lists them.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# What the tests use, and no more: a plugin that is merely installed costs every worker its import.
PLUGINS := anyio.pytest_plugin,pytest_socket,xdist.plugin,_hypothesis_pytestplugin

.DEFAULT_GOAL := help
.PHONY: help run test lint format openapi bench mutants image lock clients clean

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Serve the demo on http://127.0.0.1:8000 (PORT=9000 make run serves elsewhere)
	@export SMARTROUTING_DEMO=$${SMARTROUTING_DEMO:-1} SMARTROUTING_PORT=$${PORT:-$${SMARTROUTING_PORT:-8000}}; \
		exec $(BIN)/smartrouting serve

test: $(VENV)/.dev ## Run the tests
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTEST_PLUGINS=$(PLUGINS) $(BIN)/python -m pytest --dist worksteal \
		-n $$($(BIN)/python -c 'import os; print(3 * os.cpu_count() // 2)')

clients: $(VENV)/.clients ## Install the clients of others that tests/interface runs (needs Node.js)

lint: $(VENV)/.dev ## Check style, types and import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## Rewrite the sources in house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

openapi: $(VENV)/.run ## Write openapi.yaml from the code
	@$(BIN)/smartrouting openapi --output openapi.yaml

bench: $(VENV)/.dev ## Measure the webhook and the rules
	@$(BIN)/python -m bench

mutants: $(VENV)/.dev ## List small changes of the code that no test notices (COUNT=100, SEED=1, MINUTES=60)
	@$(BIN)/python -m bench mutants --count $${COUNT:-100} --seed $${SEED:-1} --minutes $${MINUTES:-60}

# Podman and buildah write the OCI format unless told otherwise, and that has no health check.
image: ## Build the container image with docker, podman or buildah (BASE=... changes the base image)
	@for engine in docker podman buildah none; do $$engine info >/dev/null 2>&1 && break; done; \
		[ $$engine != none ] || { echo "docker (with its engine running), podman or buildah is needed." >&2; exit 1; }; \
		version=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml); \
		set -- --build-arg BASE=$${BASE:-python:3.13-slim} --build-arg VERSION=$$version \
			--build-arg REVISION=$$(git rev-parse HEAD) --tag smartrouting:$$version --tag smartrouting:latest; \
		[ $$engine = docker ] || set -- --format docker "$$@"; \
		$$engine build "$$@" .

lock: $(VENV)/.dev ## Pin the newest allowed versions in the constraints files
	@$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --upgrade --group pyproject.toml:build --output-file constraints-build.txt
	@$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --upgrade --constraint constraints-build.txt pyproject.toml --output-file constraints.txt
	@$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --upgrade --group build --group dev --extra otel --constraint constraints.txt \
		pyproject.toml --output-file constraints-dev.txt

clean: ## Remove everything that was created here
	rm -rf $(VENV) data build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name it with PYTHON=python3.12 make ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: constraints-build.txt constraints.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the service needs (once) ..."
	@$(PIP) --require-hashes --requirement constraints-build.txt
	@$(PIP) --require-hashes --no-build-isolation --requirement constraints.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: constraints-dev.txt $(VENV)/.run
	@echo "Installing what the tests need (once) ..."
	@$(PIP) --require-hashes --requirement constraints-dev.txt
	@touch $@

$(VENV)/.clients: tests/interface/clients/requirements.txt tests/interface/clients/package.json | $(VENV)/.dev
	@echo "Installing the clients of others (once) ..."
	@rm -rf $(VENV)/clients && $(BIN)/python -m uv venv --quiet $(VENV)/clients
	@$(BIN)/python -m uv pip install --quiet --python $(VENV)/clients --requirement tests/interface/clients/requirements.txt
	@cp tests/interface/clients/package.json $(VENV)/clients/
	@cd $(VENV)/clients && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts
	@touch $@
