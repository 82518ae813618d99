# Everything that one does with this repository. Needs Python 3.11 or newer; Docker, Java and Maven only where said.

PYTHON ?= python3
UV ?= uv
ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help install demo test faults lint docs docs-check bench lock clean redis-server

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv with the locked requirements and this project in it

# The stamp is younger than both files unless one of them was changed since.
$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, and $(PYTHON) is " + sys.version.split()[0] + "; name another one: make install PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

demo: install ## Run the demo, all in this machine's memory: no Docker, no Java (ARGS="--help" for more)
	$(BIN)/segments demo $(ARGS)

test: install redis-server ## Run the tests (ARGS="-k words"); those that need a real Kafka need Java and Maven, or Docker
	$(BIN)/pytest $(ARGS)

faults: install redis-server ## Break a real Kafka and Redis under load (ARGS="--short", "--list"; tests/faults/README.md)
	$(BIN)/python -m tests.faults $(ARGS)

# The tests' own redis-server is the system's, not the older one in .venv/bin. RUNLEVEL keeps the package from starting one.
redis-server: install
	@if ! $(BIN)/python -c 'import sys; from tests.stacks.local import system_redis_server as found; sys.exit(found() is None)' \
	  && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing redis-server" \
	  && apt-get update -qq \
	  && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends redis-server >/dev/null; \
	fi

lint: install ## Check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: install ## Write the schema documents anew from the code
	$(BIN)/segments docs

docs-check: install ## Fail if the schema documents are not what the code says
	$(BIN)/segments docs --check

bench: install ## Measure ours and its peers, latency and memory (ARGS="--help" for more)
	$(BIN)/python -m bench $(ARGS)

lock: ## Resolve the requirements anew, with hashes (needs uv)
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --extra consumers --extra dev --extra discover --extra fit \
	  pyproject.toml --output-file requirements.txt

clean: ## Remove all that was made here: .venv, caches, fetched servers, builds
	rm -rf .venv .stack .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
