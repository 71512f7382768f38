# `make study` and `make test`; PYTHON names the interpreter that the virtual environment is made from
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: study test bench docs mutants
.DELETE_ON_ERROR:

study: $(VENV)/.installed
	$(BIN)/hybridnb run quick

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --cov
	$(BIN)/pytest -n 0 -p no:randomly --nbval-lax --nbval-cell-timeout=900 notebooks

# ours against other libraries: data/results/benchmarks/README.md says what of (10 minutes of two cores that do nothing else)
bench: $(VENV)/.installed-test
	rm -rf .benchmarks && mkdir .benchmarks
	-$(BIN)/python -m benchmarks.cpu_training --short --out .benchmarks
	$(BIN)/pytest benchmarks -n 0 -p no:randomly --benchmark-columns=min,median,rounds --benchmark-json=.benchmarks/speed.json
	$(BIN)/python -m benchmarks.table .benchmarks

# the documentation, as HTML in site/
docs: $(VENV)/.installed-docs
	$(BIN)/mkdocs build --strict

# which changes of the code no test notices (hours; `mutmut results` and `mutmut show NAME` tell more)
mutants: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutants]'
	$(BIN)/mutmut run
	$(BIN)/mutmut results

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@
