# Every target makes its own environment: a machine needs only Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := demo
DEMO_TRAIN := demo-train
# As many workers as cores, at most 4: each holds torch and its own networks in memory.
PARALLEL := --numprocesses logical --maxprocesses 4 --dist loadfile
PYTEST := $(BIN)/python -m pytest
# The many processes that tests start would each compile the sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-train test test-services test-full lint bench docs dist format clean

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/python scripts/demo.py $(DEMO)

demo-train: $(STAMP)
	$(BIN)/python scripts/demo_train.py $(DEMO_TRAIN)

# The suite of every day: two cores, under 8 minutes, no service, no network once installed.
test: $(STAMP)
	$(PYTEST) $(PARALLEL) -m "not full and not services"

# Fresh installations and servers, one after another: each test installs or starts what it needs.
test-services: $(STAMP)
	$(PYTEST) -m "services and not full"

# Every test there is.
test-full: $(STAMP)
	$(PYTEST) $(PARALLEL) -m "not services" --cov --cov-report=term
	$(PYTEST) -m services

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python -m benchmarks

docs: $(STAMP)
	$(BIN)/sphinx-build --fail-on-warning --quiet docs site

# The files of a release, of a tagged commit only; CONTRIBUTING.md says what comes before.
dist: $(STAMP)
	$(BIN)/python scripts/release.py dist

clean:
	rm -rf $(VENV) $(DEMO) $(DEMO_TRAIN) site build dist
