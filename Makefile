# Two commands matter: `make lab` opens the course, `make test` checks all of it. Every target sets up what it needs.
# PYTHON names the Python to build the environment with; VENV its folder; BACKEND the backend (tensorflow, jax, torch).

# An empty VENV is an unset one. Paths reach the shell as variables, in quotes: they may hold spaces.
ifeq ($(strip $(VENV)),)
override VENV := $(CURDIR)/.venv
endif
KERAS_BACKEND ?= tensorflow
BACKEND ?= $(KERAS_BACKEND)
PY := "$$VENV/bin/python"
# The first Python on the path whose version TensorFlow supports.
FIND = for p in python3 python3.13 python3.12 python3.11 python; do \
             $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done
ifndef PYTHON
PYTHON := $(or $(shell $(FIND)),python3)
endif
ENVIRONMENT = "$(PYTHON)" tools/environment.py
LESSON ?=
FOLDER ?=
ADDRESS ?=
HUB ?=
ARGS ?=
# What is tested on the oldest versions: the package, and lesson 01 executed.
OLDEST ?= tests/test_*.py tests/trace tests/detection tests/segmentation tests/plotting tests/models \
          notebooks/01_convolution_arithmetic.ipynb

export VENV
export FOLDER
export ADDRESS
export HUB
export KERAS_BACKEND := $(BACKEND)
# An environment of someone else that happens to be active must not leak into this one.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONUSERBASE

.PHONY: help lab test check build glossary experiments solutions lint timings claims bench progress review cards guide grade \
        assignment nbgraderenv nbgradertest siteenv site sitetest slides slidestest hubenv hub hubplan hubtest \
        backends lock oldest env clean distclean

help:
	@echo "make lab        open the course in JupyterLab (sets everything up the first time)"
	@echo "make test       run all tests: package, checks of exercises, every notebook  (LESSON=07: what concerns one lesson)"
	@echo "make check      the quick part of it: lint, and the tests without notebooks and what takes long"
	@echo "make build      build notebooks/ from solutions/      (LESSON=01: one lesson; ARGS=--check: only compare)"
	@echo "                                                      (ARGS=--text: only text changed, keep the outputs)"
	@echo "make glossary   make docs/glossary.md and docs/formulas.md from the lessons (make build does so, too)"
	@echo "make experiments  make docs/experiments.md from the stored results (make build does so, too)"
	@echo "make solutions  build answered, executed notebooks in build/solutions/"
	@echo "make lint       ruff: lint and format check"
	@echo "make timings    measure every lesson and write the table of the README"
	@echo "make claims     run every lesson for seeds 0-2 on every installed backend"
	@echo "make bench      cnnlib against its peers, as ratios"
	@echo "make progress   show your progress, here and as a page, build/progress.html"
	@echo "make review     ask exercises and questions again, spaced over days  (ARGS=--list: only name them)"
	@echo "make cards      cards to learn with, for Anki and to print, in build/cards  (LESSON=06: of one lesson)"
	@echo "make guide      the instructor's guide, in build/guide              (LESSON=06: of one lesson)"
	@echo "make grade      grade a folder of notebooks: FOLDER=handed-in   (ARGS=--hidden: marks that count; teaching/grading.md)"
	@echo "make assignment make an assignment of nbgrader: LESSON=01 FOLDER=../course-2027   (teaching/nbgrader.md)"
	@echo "make nbgraderenv   an environment with nbgrader, build/nbgrader-env"
	@echo "make nbgradertest  hand in, grade and export an assignment with the real nbgrader"
	@echo "make site       build the web site in build/site  (ADDRESS=https://github.com/me/course; teaching/site.md)"
	@echo "make sitetest   look at the built site in a browser without a network"
	@echo "make hub        start a JupyterHub for a class: ARGS=\"--users class.txt\"   (as root; teaching/server.md)"
	@echo "make hubplan    what 10, 50 and 500 learners need on it"
	@echo "make hubtest    start it with three learners, and look (as root, some minutes)"
	@echo "make slides     slides of the lessons, in build/slides  (LESSON=06: of one; ARGS=--pdf: and to print; teaching/slides.md)"
	@echo "make slidestest  look at every slide in a browser without a network"
	@echo "make backends   install JAX and PyTorch as well; then: make test BACKEND=jax"
	@echo "make lock       pin the newest versions again (needs uv)"
	@echo "make oldest     test the oldest versions that pyproject.toml allows (needs uv)"
	@echo "make clean      remove what was built; make distclean: the environment too"

env:
	@$(ENVIRONMENT) $(if $(filter-out tensorflow,$(BACKEND)),--backends)

backends:
	@$(ENVIRONMENT) --backends

lab:
	@$(ENVIRONMENT) $(if $(filter-out tensorflow,$(BACKEND)),--backends) lab $(ARGS)

# As many workers as cores and memory allow; ARGS="-n 0" tests in one process.
test: env
	$(PY) -m pytest -n auto $(if $(LESSON),--lesson "$(LESSON)") $(ARGS)

check: lint
	$(PY) -m pytest -n auto -m "not slow" $(if $(LESSON),--lesson "$(LESSON)") tests $(ARGS)

build: env
	$(PY) tools/build.py $(if $(LESSON),--lesson "$(LESSON)") $(ARGS)
	$(PY) tools/reference_pages.py $(filter --check,$(ARGS))
	$(PY) tools/experiments_page.py $(filter --check,$(ARGS))

glossary: env
	$(PY) tools/reference_pages.py $(ARGS)

experiments: env
	$(PY) tools/experiments_page.py $(ARGS)

solutions: env
	$(PY) tools/build.py --solutions $(if $(LESSON),--lesson "$(LESSON)") $(ARGS)

lint: env
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

timings: env
	$(PY) tools/timings.py $(ARGS)
	$(PY) teaching/server/plan.py --page

claims: env
	$(PY) tools/check_claims.py $(ARGS)

bench: env
	for file in benchmarks/*.py; do echo "== $$file"; $(PY) "$$file" $(ARGS) || exit 1; done

progress: env
	@$(PY) -m cnnlib.exercises progress --page build/progress.html

cards: env
	@$(PY) teaching/make_cards.py $(if $(LESSON),--lesson "$(LESSON)") $(ARGS)

guide: env
	@$(PY) teaching/make_guide.py $(if $(LESSON),--lesson "$(LESSON)") $(ARGS)

review: env
	@$(PY) -m cnnlib.exercises review $(ARGS)

grade: env
	@$(PY) teaching/grade.py "$$FOLDER" $(ARGS)

assignment: env
	@$(PY) teaching/make_assignment.py $(if $(LESSON),"$(LESSON)") "$$FOLDER" $(ARGS)

# nbgrader and what it brings stay out of the learners' environment.
nbgraderenv:
	@VENV="$(CURDIR)/build/nbgrader-env" $(ENVIRONMENT) --nbgrader

nbgradertest: nbgraderenv
	@build/nbgrader-env/bin/python -m pytest -n 0 tests/teaching/test_nbgrader_real.py $(ARGS)

# The site has an environment of its own, so that Sphinx does not come between the lessons and their packages.
siteenv:
	@VENV="$(CURDIR)/build/site-env" $(ENVIRONMENT) --site

site: siteenv
	@build/site-env/bin/python teaching/build_site.py $(ARGS)

sitetest: siteenv
	@build/site-env/bin/python -m pytest -n 0 tests/teaching/test_site_sphinx.py tests/teaching/test_site_browser.py $(ARGS)

# The class server, too: what serves it must not come between the lessons and their packages.
hubenv:
	@VENV="$(CURDIR)/build/hub-env" $(ENVIRONMENT) --hub

hub: hubenv
	@build/hub-env/bin/python teaching/server/launch.py $(ARGS)

hubplan: env
	@$(PY) teaching/server/plan.py $(ARGS)

hubtest: hubenv
	@build/hub-env/bin/python -m pytest -n 0 -s tests/teaching/test_server_real.py $(ARGS)

# The slides are made in the environment of the site: it has reveal.js and MathJax as files.
slides: siteenv
	@build/site-env/bin/python teaching/make_slides.py $(if $(LESSON),--lesson "$(LESSON)") $(ARGS)

slidestest: siteenv
	@build/site-env/bin/python -m pytest -n 0 tests/teaching/test_slides_browser.py $(ARGS)

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --extra dev \
	  --output-file requirements.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --extra dev --extra jax --extra torch \
	  --constraint requirements.txt --output-file requirements-backends.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --extra site \
	  --constraint requirements.txt --output-file requirements-site.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --extra hub \
	  --constraint requirements.txt --output-file requirements-hub.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --extra nbgrader \
	  --constraint requirements.txt --output-file requirements-nbgrader.txt pyproject.toml

# The lower bounds of pyproject.toml, in an environment of their own.
oldest:
	uv venv --quiet --clear --seed --python 3.11 build/oldest
	uv pip install --quiet --python build/oldest --resolution lowest-direct --editable ".[dev]"
	build/oldest/bin/python -m pytest --nbval-lax $(OLDEST) $(ARGS)

# Only what was built: the checkpoints that JupyterLab keeps are the learner's.
clean:
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find cnnlib tools tests benchmarks solutions notebooks -name __pycache__ -prune -exec rm -rf {} +

# The environment goes only if this course made it.
distclean: clean
	@$(ENVIRONMENT) remove
	rm -rf cnnlib.egg-info
