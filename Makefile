# Kleiber. Needs nothing but make and Python 3.11 or newer: every target makes its own virtual environment in .venv.
#
#   make demo        a law, a plan and a report from a ladder of real runs, into demo/
#   make test        the tests that take seconds (LAB=0 leaves PyTorch and the lab's tests out)
#   make test-slow   the tests that take minutes
#   make bench       benchmarks, as ratios within one run (LAB=0 leaves those of the lab out)
#   make lint        ruff and pyright
#   make docs        the manual as pages, into site/
#   make lab         PyTorch and the corpus, for training runs of your own
#   make examples    what the pages and notebooks show, run again and its output written anew
#   make package     sdist and wheel, into dist/

PYTHON ?= python3
LAB ?= 1
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --quiet --constraint constraints.txt
RUNS := ladders/sotu-dense/runs.parquet
BUDGET := 1000x
ifeq ($(LAB),0)
TEST_NEEDS := $(VENV)/.dev
LEFT_OUT := $(addprefix benchmarks/,$(addsuffix .py,causal_attention expert_parallel grouped_experts lab_throughput rate_transfer scale_invariance which_parameter))
else
TEST_NEEDS := $(VENV)/.dev $(VENV)/.lab
LEFT_OUT :=
endif

.PHONY: demo test test-slow bench docs lint format examples lab package clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.kleiber
	@mkdir -p demo
	@echo '$$ kleiber check $(RUNS)'
	@$(BIN)/kleiber check $(RUNS)
	@echo; echo '$$ kleiber fit $(RUNS) --cluster trunk -o demo/fit.json'
	@$(BIN)/kleiber fit $(RUNS) --cluster trunk -o demo/fit.json
	@echo; echo '$$ kleiber plan demo/fit.json --flops $(BUDGET)'
	@$(BIN)/kleiber plan demo/fit.json --flops $(BUDGET)
	@echo; echo '$$ kleiber report $(RUNS) --cluster trunk --flops $(BUDGET) -o demo/report.html'
	@$(BIN)/kleiber report $(RUNS) --cluster trunk --flops $(BUDGET) -o demo/report.html
	@echo; echo "The report: file://$(CURDIR)/demo/report.html"

test: $(TEST_NEEDS)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile

test-slow: $(VENV)/.dev $(VENV)/.lab
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n $(WORKERS) --dist load

bench: $(TEST_NEEDS)
	@set -e; for script in $(filter-out $(LEFT_OUT),$(wildcard benchmarks/*.py)); do \
		echo "== $$script"; OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python "$$script"; done
	@$(if $(LEFT_OUT),echo "Left out, as they need PyTorch: $(LEFT_OUT)")

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The pages: file://$(CURDIR)/site/index.html (with search: python3 -m http.server -d site)"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

examples: $(VENV)/.dev
	$(BIN)/python -m tests.cli.examples
	$(BIN)/python -m tests.docs.blocks
	$(BIN)/python -m tests.docs.notebooks

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lab: $(VENV)/.lab

package: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

clean:
	rm -rf demo dist site .pytest_cache .ruff_cache

# One stamp per layer of the environment, renewed when what it installs has changed.
$(VENV)/.python:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here: install Python 3.11 or newer, or say PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is $$($(PYTHON) --version), and Kleiber needs 3.11 or newer: say PYTHON=python3.11 or so"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) pip
	@touch $@

$(VENV)/.kleiber: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing Kleiber into $(VENV) ..."
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.kleiber
	@echo "Installing what the tests need ..."
	@$(INSTALL) --editable '.[app,diagnose]' --group dev
	@touch $@

$(VENV)/.lab: $(VENV)/.kleiber
	@echo "Installing PyTorch for the lab (a large download; LAB=0 does without) ..."
	@$(INSTALL) --editable '.[lab,postgres]'
	@touch $@

$(VENV)/.docs: $(VENV)/.kleiber
	@echo "Installing what the pages need ..."
	@$(INSTALL) --group docs
	@touch $@
