PY ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
START ?= 2024-12-01
END ?= 2024-12-31

# The data the UI shows: make ui ORIGIN=files DATA=folder TARGET=shootings
# Nobody reviews an invented city: without ORIGIN and DATA its drafts are shown, marked as drafts.
UI_ARGS := $(if $(ORIGIN),--origin $(ORIGIN)) $(if $(DATA),--data $(DATA)) $(if $(TARGET),--target $(TARGET)) \
	$(if $(DRAFTS)$(if $(ORIGIN)$(DATA),,1),--drafts)

# uv does not read pip's configuration: hand it pip's find-links when there is one. Elsewhere
# `make TORCH_INDEX=https://download.pytorch.org/whl/cpu` keeps torch free of CUDA packages.
export UV_FIND_LINKS ?= $(shell $(PY) -m pip config get global.find-links 2>/dev/null)
ifeq ($(strip $(UV_FIND_LINKS)),)
unexport UV_FIND_LINKS
endif
INSTALL := $(BIN)/uv pip install --compile-bytecode --python $(BIN)/python -c constraints.txt \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX) --index-strategy unsafe-best-match)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-extended test-cluster bench ui lint types contracts definitions dbt audit lock pytest clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.ok: pyproject.toml constraints.txt
	$(PY) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check uv==0.13.8
	$(INSTALL) -q -e .
	touch $@

$(VENV)/.dev: $(VENV)/.ok
	$(INSTALL) -q -e '.[dev]'
	touch $@

setup: $(VENV)/.ok ## Make .venv with everything pinned

demo: $(VENV)/.ok ## A risk map of an invented New York, made by Dagster
	$(BIN)/htrisk run --area nyc --start $(START) --end $(END)

ui: $(VENV)/.ok ## Dagster, MLflow and the dashboard on loopback
	$(BIN)/htrisk ui $(UI_ARGS)

bench: $(VENV)/.dev ## Speed beside the usual ways, as ratios; htrisk bench NAME for one row
	$(BIN)/htrisk bench

test: $(VENV)/.dev lint types contracts definitions dbt audit pytest ## Everything that CI runs

$(VENV)/.cluster: $(VENV)/.dev
	$(INSTALL) -q -e '.[dev,cluster,deploy]'
	touch $@

test-extended: $(VENV)/.dev ## what would make CI too long: a silent week, days at once, more cities
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 2 -m extended

# Not part of CI: 300 MB more, Debian's postgresql, and about 15 minutes on 2 cores. It needs no network once installed.
test-cluster: $(VENV)/.cluster ## Ray, PostgreSQL and Dagster as processes here; nodes are killed
	$(BIN)/pytest -m cluster htrisk_dagster_tests/cluster

lint: $(VENV)/.dev ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy
	$(BIN)/mypy

contracts: $(VENV)/.dev ## import contracts
	$(BIN)/lint-imports

definitions: $(VENV)/.dev ## Dagster loads everything
	DAGSTER_HOME= $(BIN)/dagster definitions validate -w workspace.yaml

dbt: $(VENV)/.dev ## dbt parses; its tests run on the tiny city within pytest
	$(BIN)/dbt parse --quiet --project-dir dbt --profiles-dir dbt

# Where PyPI's service cannot be asked, this says so and passes: CI has to run offline too.
audit: $(VENV)/.dev ## known vulnerabilities of what is installed
	timeout 300 $(BIN)/pip-audit --local --format json --progress-spinner off 2>/dev/null \
	| $(BIN)/python .ci/audit.py

# Not torch: its CPU build has other bytes at every index. See SECURITY.md.
lock: $(VENV)/.dev ## Remake requirements.lock, the pins with hashes, from constraints.txt
	$(BIN)/uv pip compile pyproject.toml --extra dev -c constraints.txt --generate-hashes \
	--no-emit-package torch --python-version 3.11.7 --no-header -q -o requirements.lock

# One thread a worker: those of two would wait for each other on two cores.
pytest: $(VENV)/.dev ## all tests
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 2

clean: ## Remove what runs have made, not the environment
	rm -rf .htrisk dbt/target dbt/logs
