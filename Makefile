# Two commands matter: `make lab` opens the course, `make test` checks all of it. Every target sets up what it needs.
# PYTHON names the Python to build the environment with; VENV its folder; BACKEND the backend (tensorflow, jax, torch).

VENV ?= $(CURDIR)/.venv
KERAS_BACKEND ?= tensorflow
BACKEND ?= $(KERAS_BACKEND)
PY := $(VENV)/bin/python
# The first Python on the path whose version TensorFlow supports.
FIND = for p in python3 python3.13 python3.12 python3.11 python; do \
             $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done
ifndef PYTHON
PYTHON := $(or $(shell $(FIND)),python3)
endif
LESSON ?=
ARGS ?=

export VENV
export KERAS_BACKEND := $(BACKEND)
# An environment of someone else that happens to be active must not leak into this one.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

.PHONY: help lab test build solutions lint timings claims bench progress backends lock env clean distclean

help:
	@echo "make lab        open the course in JupyterLab (sets everything up the first time)"
	@echo "make test       run all tests: package, checks of exercises, every notebook"
	@echo "make build      build notebooks/ from solutions/      (LESSON=01: one lesson; ARGS=--check: only compare)"
	@echo "make solutions  build answered, executed notebooks in build/solutions/"
	@echo "make lint       ruff: lint and format check"
	@echo "make timings    measure every lesson and write the table of the README"
	@echo "make claims     run every lesson for seeds 0-2 on every installed backend"
	@echo "make bench      cnnlib against its peers, as ratios"
	@echo "make progress   show your progress"
	@echo "make backends   install JAX and PyTorch as well; then: make test BACKEND=jax"
	@echo "make lock       pin the newest versions again (needs uv)"
	@echo "make clean      remove what was built; make distclean: the environment too"

env:
	@$(PYTHON) tools/environment.py $(if $(filter-out tensorflow,$(BACKEND)),--backends)

backends:
	@$(PYTHON) tools/environment.py --backends

lab:
	@$(PYTHON) tools/environment.py $(if $(filter-out tensorflow,$(BACKEND)),--backends) lab $(ARGS)

test: env
	$(PY) -m pytest $(ARGS)

build: env
	$(PY) tools/build.py $(if $(LESSON),--lesson $(LESSON)) $(ARGS)

solutions: env
	$(PY) tools/build.py --solutions $(if $(LESSON),--lesson $(LESSON)) $(ARGS)

lint: env
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

timings: env
	$(PY) tools/timings.py $(ARGS)

claims: env
	$(PY) tools/check_claims.py $(ARGS)

bench: env
	for file in benchmarks/*.py; do echo "== $$file"; $(PY) $$file $(ARGS) || exit 1; done

progress: env
	@$(PY) -m cnnlib.exercises

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --upgrade --extra dev \
	  --output-file requirements.txt pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --upgrade --extra dev --extra jax --extra torch \
	  --constraint requirements.txt --output-file requirements-backends.txt pyproject.toml

clean:
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find cnnlib tools tests benchmarks solutions notebooks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

distclean: clean
	rm -rf "$(VENV)" cnnlib.egg-info
