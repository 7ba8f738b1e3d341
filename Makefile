# Start with `make demo` and `make test`. Both create .venv first; they only need Python 3.11 or
# newer, make and a package index.
PYTHON ?= python3.11
# Python 3.11 uses the versions of constraints.txt. Later versions of Python use those of
# constraints-newest.txt, in a separate environment.
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
ifeq ($(filter-out 3.11,$(VERSION)),)
VENV := .venv
CONSTRAINTS := constraints.txt
else
VENV := .venv-$(VERSION)
CONSTRAINTS := constraints-newest.txt
endif
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPER := $(VENV)/.developer
DOCUMENTS := $(VENV)/.documents

.PHONY: demo test test-all test-slow mutation faults search lint format journeys experiments-table theory-table bench bench-cuda bench-dictionaries comparisons accelerators docs diagrams \
  statements notebooks tutorial \
  constraints clean

$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) --editable .
	touch $@

# Also installs the tools of the tests, and PyTorch, a reference implementation in tests.
$(DEVELOPER): $(INSTALLED)
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) --editable '.[dev]'
	touch $@

$(DOCUMENTS): $(INSTALLED)
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) --editable '.[docs]'
	touch $@

# Checks the theorems on handwritten digits, trains a denoising autoencoder, and writes reports.
demo: $(INSTALLED)
	rm -rf demo
	$(BIN)/aejax verify --data digits --code 10 --json demo/certificates.json \
	  --report demo/theorems.html
	$(BIN)/aejax train --data digits --sizes 64 128 --corruption masking --epochs 200 \
	  --batch-size 32 --learning-rate 0.01 --save-every 20 --out demo/run
	$(BIN)/aejax report demo/run --certificates demo/certificates.json --out demo/report.html

# One BLAS thread per process: more threads than cores would slow the tests.
test test-all test-slow: export OPENBLAS_NUM_THREADS := 1

# Every cheap test, and a covering choice of the costly ones: see tests/selection.py.
PYTEST = XLA_FLAGS="$$($(BIN)/python -m tests.compiler_flags)" $(BIN)/pytest --numprocesses 2
test: $(DEVELOPER)
	$(PYTEST) --dist worksteal

# Every test with every case, except the slow ones.
test-all: $(DEVELOPER)
	$(PYTEST) --dist worksteal tests

# Slow tests: real data sets at full size, and damage to every file of a checkpoint.
test-slow: $(DEVELOPER)
	$(BIN)/pytest --numprocesses 2 -m slow

# What new users do, each from an empty folder: prints the time and the number of lines of each.
journeys: $(DEVELOPER)
	$(BIN)/pytest tests/journeys -m "slow or not slow"

# Mutation testing: SAMPLE random changes of the code (0 for all), drawn with SEED.
SAMPLE ?= 200
mutation: $(DEVELOPER)
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) --editable '.[mutation]'
	$(BIN)/python -m tests.mutation --sample $(SAMPLE) --seed $(SEED)

# Fault injection: runs that are killed, damaged or out of disk space; TRIES signals per moment.
TRIES ?= 12
faults: $(DEVELOPER)
	$(BIN)/python -m tests.faults --tries $(TRIES)

# Random search with every property test, for MINUTES, with seeds from SEED upwards.
MINUTES ?= 60
SEED ?= 0
search: export OPENBLAS_NUM_THREADS := 1
search: $(DEVELOPER)
	$(BIN)/python -m tests.search --minutes $(MINUTES) --seed $(SEED)

lint: $(DEVELOPER)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

format: $(DEVELOPER)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Refreshes the verdicts of the committed results; writes experiments/README.md and two pages of docs.
experiments-table: $(DEVELOPER)
	$(BIN)/python -m experiments.harness.table
	$(BIN)/python -m experiments.harness.gallery
	$(BIN)/python -m experiments.harness.course_figures

# Measures every theorem on every data set, saddle indices, orders and epochs: the tables of docs/theory.
theory-table: $(DEVELOPER)
	$(BIN)/python -m experiments.harness.theorems
	$(BIN)/python -m experiments.harness.measurements

# Benchmarks against PyTorch and scikit-learn; needs an otherwise idle machine.
bench: $(DEVELOPER)
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.recipes
	$(BIN)/python -m benchmarks.optimizers
	$(BIN)/python -m benchmarks.convolution
	$(BIN)/python -m benchmarks.population
	$(BIN)/python -m benchmarks.pca
	$(BIN)/python -m benchmarks.checkpoints
	$(BIN)/python -m benchmarks.command
	$(BIN)/python -m benchmarks.command_start
	$(BIN)/python -m benchmarks.compile_time
	$(BIN)/python -m benchmarks.input_pipeline
	$(BIN)/python -m benchmarks.attempts
	$(BIN)/python -m benchmarks.defaults
	$(BIN)/python -m benchmarks.kernels cpu
	$(BIN)/python -m benchmarks.table

# Throughput of sparse dictionaries beside other packages, in an environment of their own.
bench-dictionaries: $(DEVELOPER)
	$(PYTHON) -m venv $(VENV)-dictionaries
	$(VENV)-dictionaries/bin/pip install --quiet --editable . sae-lens==6.54.12 \
	  dictionary-learning eai-sparsify
	$(VENV)-dictionaries/bin/python -m benchmarks.dictionary_throughput
	$(BIN)/python -m benchmarks.table

# Benchmarks on a GPU, in an environment with GPU builds of JAX and PyTorch.
bench-cuda:
	python -m benchmarks.accelerator
	python -m benchmarks.kernels cuda
	python -m benchmarks.population --config.device cuda
	python -m benchmarks.table

# docs/accelerators.md: training steps compiled for a TPU and a GPU that are not at hand, in an
# environment of its own with their compilers (6 GB). An interrupted command resumes.
accelerators: export XLA_FLAGS := --xla_gpu_force_compilation_parallelism=1 \
  --xla_llvm_disable_expensive_passes=true
accelerators:
	$(PYTHON) -m venv $(VENV)-accelerators
	$(VENV)-accelerators/bin/pip install --quiet --constraint $(CONSTRAINTS) --editable \
	  '.[plan-tpu,plan-gpu]'
	$(VENV)-accelerators/bin/python -m tests.accelerators

# Comparisons with Keras, Lightning, PyOD and pythae, which are installed in an environment of their own.
comparisons: $(DEVELOPER)
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/pip install --quiet --constraint $(CONSTRAINTS) --editable . torch keras \
	  lightning pyod pythae
	$(VENV)-peers/bin/python -m benchmarks.peers_own_model
	$(VENV)-peers/bin/python -m benchmarks.peers_anomalies
	$(VENV)-peers/bin/python -m benchmarks.peers_variational
	$(BIN)/python -m benchmarks.comparisons

# docs/_build/html/index.html: pages, executed notebooks and the API reference; a warning is an error.
docs: $(DOCUMENTS)
	$(BIN)/sphinx-build --builder html --fail-on-warning --keep-going docs docs/_build/html

# The diagrams of docs/architecture.md, from the layers that tests/test_layout.py enforces.
diagrams: $(DEVELOPER)
	$(BIN)/python -m docs.draw_diagrams

# Statements and proofs of docs/theory in the report of `aejax verify`.
statements: $(DEVELOPER)
	$(BIN)/python -m docs.write_statements

# docs/notebooks/*.ipynb from their sources, for Jupyter; tests run the sources with small settings.
notebooks: $(DEVELOPER)
	$(BIN)/jupytext --quiet --to notebook docs/notebooks/*.py

# Follows the tutorial in a fresh environment and times it until the first figure.
tutorial:
	$(PYTHON) docs/follow_tutorial.py

# Pins every dependency to the version that a fresh installation with PYTHON resolves to.
constraints:
	rm -rf .constraints && $(PYTHON) -m venv .constraints
	.constraints/bin/pip install --quiet '.[dev,docs,mutation]'
	.constraints/bin/pip freeze --exclude aejax | sed 's/+.*//' > $(CONSTRAINTS)
	rm -rf .constraints

clean:
	rm -rf .venv .venv-* demo docs/_build docs/api docs/repository
