PYTHON ?= python3.11
SPEC ?= specs/complete_journey.yaml
PROFILE ?=
OUT ?= runs/$(basename $(notdir $(SPEC)))
PORT ?= 3000
MINUTES ?= 30
ARGS ?=
BASE ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export GX_ANALYTICS_ENABLED = false
export FEAST_USAGE = False
export BENTOML_DO_NOT_TRACK = True

.DEFAULT_GOAL := help
.PHONY: help setup run serve test lint compile image bench soak clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/run.stamp: pyproject.toml constraints.txt
	@echo "Setting up .venv (about two minutes) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

.venv/dev.stamp: .venv/run.stamp
	@$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@

setup: .venv/dev.stamp ## .venv with everything that development needs

run: .venv/run.stamp ## the main job: logs → features → model → gate → Bento → champion (SPEC=FILE, PROFILE=quick|full, ARGS='--set a.b=c')
	@$(BIN)/python -m pipelines run --spec $(SPEC) $(if $(PROFILE),--profile $(PROFILE)) --out $(OUT) $(ARGS)

serve: .venv/run.stamp ## serve the champion on PORT
	@$(BIN)/shopguide serve --spec $(SPEC) --port $(PORT) $(ARGS)

compile: .venv/run.stamp ## compile the pipelines to pipelines/compiled
	@$(BIN)/python -m pipelines compile

image: .venv/run.stamp ## the images that components and services run in (docker; BASE=IMAGE with Python 3.11)
	@BASE=$(BASE) deploy/images/build.sh

test: .venv/dev.stamp ## every test
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

lint: .venv/dev.stamp ## ruff, mypy and the import directions
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: .venv/dev.stamp ## benchmarks against peers, a JSON line each
	@for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script --json || exit 1; done

soak: .venv/dev.stamp ## the service for MINUTES at 70 % of its capacity; 100 swaps and 5 dead stores under load
	@$(BIN)/python benchmarks/serving.py --soak $(MINUTES) --json
	@SHOPGUIDE_CHAOS_SWAPS=100 SHOPGUIDE_CHAOS_KILLS=5 $(BIN)/python -m pytest -q tests/serving/test_chaos.py

clean: ## remove what runs left behind (not the registry in .shopguide)
	@rm -rf runs build dist
