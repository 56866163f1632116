# What people and machines call. `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test lint types check format chaos bench screens clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.server: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	@echo "Installing the server ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.server
	@echo "Installing the development tools ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

run: $(VENV)/.server ## Install what is missing and start the server
	@$(BIN)/python manage.py prepare
	@exec $(BIN)/python manage.py serve --end-runs

test: $(VENV)/.dev ## Run every test that can run here
	@$(BIN)/python -m pytest --numprocesses 2 $(ARGS)

lint: $(VENV)/.dev ## Check style of code and templates, and that no migration is missing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/djlint --quiet --check templates
	@$(BIN)/djlint --quiet --lint templates
	@$(BIN)/python manage.py makemigrations --check --dry-run

types: $(VENV)/.dev ## Check types, strictly
	@$(BIN)/mypy .

check: lint types test ## Everything that has to be green

format: $(VENV)/.dev ## Put code and templates into their form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/djlint --quiet --reformat templates || true

chaos: $(VENV)/.dev ## Kill, stop and starve a server at length, on DATABASE_URL
	@CHAOS=full $(BIN)/python -m pytest tests/chaos $(ARGS)

bench: $(VENV)/.dev ## Measure; each figure beside its floor
	@$(BIN)/python -m benchmarks.trigger
	@$(BIN)/python -m benchmarks.ticks
	@$(BIN)/python -m benchmarks.continuous
	@$(BIN)/python -m benchmarks.lists
	@$(BIN)/python -m benchmarks.idle
	@$(BIN)/python -m benchmarks.logs
	@$(BIN)/python -m benchmarks.streams
	@$(BIN)/python -m benchmarks.scale

screens: $(VENV)/.dev ## Take the pictures of docs/screens
	@mkdir -p docs/screens
	@SCREENS=docs/screens $(BIN)/python -m pytest tests/browser/test_pages.py -k "keeps_anybody_out or sideways_on_a_phone"

clean: ## Remove the virtual environment and caches; your data stays
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
