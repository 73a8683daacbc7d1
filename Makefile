# One front door: `make run` starts the platform, `make test` and `make check` decide what lands.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup run test check format bench clean

setup: .venv/.installed

.venv/.installed: pyproject.toml uv.lock
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"; }
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv sync --frozen --active --inexact --quiet
	@touch $@

run: setup
	@exec $(BIN)/airy-ray up $(ARGS)

test: setup
	$(BIN)/python -m pytest $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# every claim of the README, measured here; results also as JSON in benchmarks/results/
bench: setup
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
