# One front door: `make run` starts the platform, `make test` and `make check` decide what lands.
PYTHON ?= python3
BIN := .venv/bin
WORKERS := $(shell expr 2 \* $$(nproc))

.PHONY: setup run test check format clients bench clean

DESCRIPTION := ui/packages/client/openapi.json

setup: .venv/.installed

.venv/.installed: pyproject.toml uv.lock
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"; }
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv sync --frozen --active --inexact --quiet
	@touch $@

run: setup
	@exec $(BIN)/airy-ray up $(ARGS)

# what starts no platform runs first, two tests for each core, for many wait; platforms run alone, for some tests look at the time
test: setup
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m pytest --numprocesses $(WORKERS) tests/unit tests/contract tests/simulation
	$(BIN)/python -m pytest tests/cluster tests/e2e
endif

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/airy-ray openapi | cmp -s - $(DESCRIPTION) || { echo "the API is not as $(DESCRIPTION) has it: run make clients"; exit 1; }
	@$(BIN)/python -m deploy.client_generator --check $(DESCRIPTION)

# the API's description, and the Python client that is made of it; the TypeScript one is made when it is built
clients: setup
	$(BIN)/airy-ray openapi --output $(DESCRIPTION)
	$(BIN)/python -m deploy.client_generator $(DESCRIPTION)

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# every claim of the README, measured here; results also as JSON in benchmarks/results/
bench: setup
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache ui/node_modules
