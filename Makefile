# The lesson's commands. `make lesson` opens it, `make test` checks it; README.md says more.
#
# PYTHON       the interpreter that makes the virtual environment
# TORCH        what to install, e.g. TORCH=torch==2.13.0
# SEEDS        the seeds that `make seeds` runs the lesson on
# TORCH_INDEX  a package index for torch alone; on Linux https://download.pytorch.org/whl/cpu saves gigabytes
PYTHON ?= python3
TORCH ?= torch
TORCH_INDEX ?=
SEEDS ?= 241-250

BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
READY := .venv/ready
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg

.PHONY: lesson run test slow store seeds exercises oracle clean

lesson: $(READY)
	$(BIN)/jupyter lab theory.ipynb

run: $(READY)
	$(BIN)/python -m helpers.notebooks run theory.ipynb build/theory.ipynb

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" tests
	LESSON_QUIET=1 $(BIN)/python -m pytest $(NBVAL) theory.ipynb exercises.ipynb

slow: $(READY)
	$(BIN)/python -m pytest -m slow tests

store: $(READY)
	$(BIN)/python -m helpers.notebooks store theory.ipynb

seeds: $(READY)
	$(BIN)/python -m helpers.seeds $(SEEDS)

exercises: $(READY)
	$(BIN)/python -m solutions.build

oracle:
	$(PYTHON) -m venv build/oracle
	build/oracle/bin/python -m pip install --quiet -r requirements-oracle.txt
	build/oracle/bin/python tests/oracle/freeze_trl.py
	build/oracle/bin/python tests/oracle/freeze_crowd_kit.py
	$(PYTHON) -m venv build/oracle-ppo
	build/oracle-ppo/bin/python -m pip install --quiet -r requirements-oracle-ppo.txt
	build/oracle-ppo/bin/python tests/oracle/freeze_ppo.py

$(READY): requirements.txt constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) -c constraints.txt "$(TORCH)"
	$(BIN)/python -m pip install --quiet -c constraints.txt -r requirements.txt
	$(BIN)/python -c "import pathlib; pathlib.Path('$(READY)').touch()"

clean:
	rm -rf build .venv
