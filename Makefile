# The two commands: `make app` and `make test`. Both build .venv by themselves with Python 3.11+ and pip.
#   make app ARGS="--server.port 8600 -- --home ~/emotion"     arguments for streamlit, after -- for the app
#   make test ARGS="-k nucleus"                                arguments for pytest
#   PIP_ARGS="--index-url ..."                                 arguments for pip, e.g. another index or a CPU-only torch
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
PIP_ARGS ?=
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: app test test-all mutants lint docs clean

app: $(VENV)/.app
	$(BIN)/streamlit run app.py $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 $(ARGS)

# One-line faults, each in a copy of the tree, against the tests that shall notice them: ARGS="--only training".
mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutants $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation as a site, into site/; its figures and notebooks are made on the way.
docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict $(ARGS)

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("mesm needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

# The stamps name what is installed, so that a changed requirements file is installed again and nothing else is.
$(VENV)/.app: requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install $(PIP_ARGS) -r requirements.txt
	$(BIN)/python -m pip install $(PIP_ARGS) --no-deps -e .
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.app
	$(BIN)/python -m pip install $(PIP_ARGS) -r requirements-dev.txt
	touch $@
