# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= demo

.PHONY: install demo test fast chaos scale lint format clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24"
	$(BIN)/python -m pip install --quiet -e ".[demo,dev]"
	touch $@

# Add your own pictures with `make demo CONTENT=folder STYLE=folder`.
demo: install
	$(BIN)/python -m jobs.demo --output $(DEMO) $(if $(CONTENT),--content $(CONTENT)) $(if $(STYLE),--style $(STYLE))

# Side by side, for what starts Ray or a store waits more than it works; a file's tests share what they start.
test: install lint fast
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

fast: install
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 8 --dist loadfile

chaos: install
	$(BIN)/python -m tests.chaos --faults 200 --output chaos
	$(BIN)/python -m tests.chaos throughput --output chaos

scale: install
	$(BIN)/python -m tests.chaos scale --output chaos

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(DEMO) chaos build *.egg-info
