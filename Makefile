# The lesson's commands. `make lesson` opens it, `make test` checks it; README.md says more.
#
# PYTHON       the interpreter that makes the virtual environment, Python 3.10 to 3.13
# TORCH        another torch than the tested one, e.g. TORCH=torch==2.6.0
# TORCH_INDEX  a package index for torch alone; on Linux https://download.pytorch.org/whl/cpu saves gigabytes
# SEEDS        the seeds that `make seeds` runs the lesson on
# OLDEST, NEWEST  the interpreters that `make matrix` looks for
PYTHON ?= $(if $(filter Windows_NT,$(OS)),python,python3)
TORCH ?=
TORCH_INDEX ?=
SEEDS ?= 281-290
OLDEST ?= python3.10
NEWEST ?= python3.13

VENV_PYTHON := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python
READY = $(PYTHON) -m tools.environment --torch "$(TORCH)" --torch-index "$(TORCH_INDEX)"
WORKERS := -n logical --maxprocesses 4
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg

.PHONY: lesson fresh run test slow store seeds matrix site exercises colab oracle clean python environment colab-environment

lesson: python
	$(READY) lesson
	$(VENV_PYTHON) -m tools.working_copy

fresh: python
	$(READY) lesson
	$(VENV_PYTHON) -m tools.working_copy fresh

run: environment
	$(VENV_PYTHON) -m tools.notebooks run theory.ipynb build/theory.ipynb

test: export LESSON_QUIET = 1
test: environment
	$(VENV_PYTHON) -m pytest -m "not slow" $(WORKERS) --dist worksteal tests solutions
	$(VENV_PYTHON) -m pytest $(NBVAL) theory.ipynb exercises.ipynb

slow: environment colab-environment
	$(VENV_PYTHON) -m pytest -m slow $(WORKERS) --dist loadgroup tests solutions

store: environment
	$(VENV_PYTHON) -m tools.notebooks store theory.ipynb

seeds: environment
	$(VENV_PYTHON) -m tools.seeds $(SEEDS)

# gigabytes of other PyTorches, the better part of an hour for each Python
matrix: python
	$(PYTHON) -m tools.matrix --oldest $(OLDEST) --newest $(NEWEST) --torch-index "$(TORCH_INDEX)"

site: environment
	$(VENV_PYTHON) -m tools.website

exercises: environment
	$(VENV_PYTHON) -m solutions.build

colab: environment
	$(VENV_PYTHON) -m tools.colab

oracle:
	$(PYTHON) -m venv build/oracle
	build/oracle/bin/python -m pip install --quiet -r requirements-oracle.txt
	build/oracle/bin/python tests/oracle/freeze_trl.py
	build/oracle/bin/python tests/oracle/freeze_variants.py
	build/oracle/bin/python tests/oracle/freeze_crowd_kit.py
	$(PYTHON) -m venv build/oracle-ppo
	build/oracle-ppo/bin/python -m pip install --quiet -r requirements-oracle-ppo.txt
	build/oracle-ppo/bin/python tests/oracle/freeze_ppo.py

# An old Python says so itself; tools.environment would only be a syntax error to it.
python:
	$(PYTHON) tools/check_python.py

environment: python
	$(READY) test

# build/colab-python: the versions that Colab has, for `make slow`
colab-environment: python
	$(READY) colab

clean:
	$(PYTHON) -c "import os, shutil; [shutil.rmtree(name) for name in ('build', '.venv') if os.path.isdir(name)]"
