# Two commands do everything: `make run` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# Containers often set it: then each start of a command would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run demo test lint format bench clean

run: $(VENV)/installed  ## serve the seeded default world on http://127.0.0.1:4600
	@$(BIN)/sts-emulator serve

demo: $(VENV)/installed-test  ## the eight ways to get credentials, each used behind the door, and refused once
	@$(BIN)/python examples/demo/stories.py

test: $(VENV)/installed-test lint  ## everything that must be green
	$(BIN)/pytest -n 2 --dist loadfile -m "not clients" tests

lint: $(VENV)/installed-test  ## style, types and layers, all four at once; all speak before it fails
	@pids=; for tool in "ruff format --check emulator tests" "ruff check emulator tests" mypy lint-imports; do \
		$(BIN)/$$tool & pids="$$pids $$!"; \
	done; failed=0; for pid in $$pids; do wait $$pid || failed=1; done; exit $$failed

format: $(VENV)/installed-test  ## write the code as `make lint` wants it
	$(BIN)/ruff check --fix emulator tests
	$(BIN)/ruff format emulator tests

bench: $(VENV)/installed-test  ## the ratios of docs/performance.md, measured here
	$(BIN)/python -m tests.bench

$(VENV)/installed: pyproject.toml constraints.txt
	@echo "making $(VENV) and installing what the emulator needs; this happens once and may take some minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
