# `make study` and `make test`; PYTHON names the interpreter that the virtual environment is made from
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: study test lint bench
.DELETE_ON_ERROR:

study: $(VENV)/.installed
	$(BIN)/hybridnb run quick

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --cov
	$(BIN)/pytest -n 0 --nbval-lax --nbval-cell-timeout=900 notebooks

bench: $(VENV)/.installed-test
	$(BIN)/pytest benchmarks --benchmark-columns=min,median,mean,rounds

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@
