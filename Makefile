PYTHON ?= python

.PHONY: check format

check:  ## everything that has to pass before a push
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest

format:  ## what ruff can put right by itself
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .
