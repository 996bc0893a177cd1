# Two commands do everything: `make run` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: run test lint bench clean

run: $(VENV)/installed  ## serve the seeded default world on http://127.0.0.1:4600
	@$(BIN)/sts-emulator serve

test: $(VENV)/installed-test lint  ## everything that must be green
	$(BIN)/pytest -n 2 --dist loadgroup -m "not clients" tests

lint: $(VENV)/installed-test  ## style, types and layers
	$(BIN)/ruff format --check emulator tests
	$(BIN)/ruff check emulator tests
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-test  ## the ratios of docs/performance.md, measured here
	$(BIN)/python -m tests.bench

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
