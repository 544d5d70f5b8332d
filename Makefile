# Handoff: `make demo` shows the whole way on the sample, `make test` proves it works.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
TOOLS  := $(VENV)/.tools

.DEFAULT_GOAL := help
.PHONY: help demo test check fmt clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

# The CPU build of torch first: on Linux the plain wheel would pull several GB of CUDA.
# Machines with an NVIDIA GPU take the plain one.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	if command -v nvidia-smi >/dev/null 2>&1; then $(BIN)/pip install --quiet torch==2.13.0; else \
	  $(BIN)/pip install --quiet 'torch==2.13.0+cpu' 2>/dev/null \
	  || $(BIN)/pip install --quiet 'torch==2.13.0' --index-url https://download.pytorch.org/whl/cpu 2>/dev/null \
	  || $(BIN)/pip install --quiet torch==2.13.0; fi
	$(BIN)/pip install --quiet -c constraints.txt -e '.[demo]'
	touch $@

$(TOOLS): $(STAMP)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[all,dev]'
	$(BIN)/pip install --quiet --no-deps projectaria-tools==2.3.0  # its dependencies are a whole Jupyter
	touch $@

check: $(TOOLS) ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fmt: $(TOOLS) ## format in place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: check ## set up and run every test
	$(BIN)/python -m pytest -q

MINUTES ?= 3
demo: $(STAMP) ## sample session -> every stage -> dataset -> a small policy -> demo/report.html
	rm -rf demo  # every number of the report is made in this run
	$(BIN)/handoff ingest samples/session --into demo/sessions --session-id sample-session
	$(BIN)/handoff run demo/sessions
	$(BIN)/handoff evaluate demo/sessions/sample-session
	$(BIN)/handoff export demo/sessions --name human --into demo/datasets
	$(BIN)/handoff train demo/datasets/human samples/robot --run demo/runs/both --preset demo --minutes $(MINUTES)
	$(BIN)/handoff predict demo/runs/both demo/datasets/human samples/robot
	$(BIN)/handoff report demo/sessions --run demo/runs/both --out demo/report.html
	@echo "done: open $(CURDIR)/demo/report.html"

clean: ## remove what make made (never sessions, datasets or runs)
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
