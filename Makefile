# Every verb sets up what it needs; PYTHON chooses the interpreter the environment is made with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A hundred processes are started by the tests: each would compile all it imports anew where bytecode isn't kept.
export PYTHONDONTWRITEBYTECODE :=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt

.PHONY: help demo report test test-engines test-postgres test-gpu fuzz check bench
help: ## what each verb does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(VENV)/.train ## from a chat export to a reply, on a toy model, then a chat
	@$(BIN)/python mybot.py demo

report: $(VENV)/.train ## is the demo's toy persona its person? report.html and report.json beside it
	@$(BIN)/python mybot.py demo --no-chat >/dev/null && $(BIN)/python mybot.py evaluate data/demo/personas/xiaobei --data data/demo/data --runs data/demo/runs --quick

test: $(VENV)/.dev ## the tests, on two cores
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-engines: $(VENV)/.dev ## the same contract with a real llama.cpp server (a wheel, in .venv-engines)
	@test -x .venv-engines/bin/python || $(PYTHON) -m venv .venv-engines
	@.venv-engines/bin/python -m pip install --quiet --disable-pip-version-check xllamacpp==2026.10.11549
	@MYBOT_ENGINES=.venv-engines/bin/python $(BIN)/python -m pytest tests/engines

test-postgres: $(VENV)/.dev ## the history on a real PostgreSQL server, started for it (Debian's package)
	@ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1 || command -v pg_ctl >/dev/null || \
	 { printf 'error: PostgreSQL is not installed\n hint: sudo apt-get install postgresql\n' >&2; exit 1; }
	@$(BIN)/python -m pytest tests/bot/test_history_postgres.py

test-gpu: $(VENV)/.dev ## what only a card can show: tests, then the measurements
	@$(BIN)/python -m pytest tests/gpu && $(BIN)/python tests/gpu/serving.py && $(BIN)/python tests/gpu/training.py

fuzz: $(VENV)/.dev ## the property tests once more, on examples never drawn before
	@MYBOT_HYPOTHESIS=new $(BIN)/python -m pytest -k "$$(grep -rl hypothesis tests --include='test_*.py' | xargs -n1 basename | sed 's/.py//' | paste -sd'|' | sed 's/|/ or /g')"

check: $(VENV)/.dev ## ruff, pyright, import rules
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright && $(BIN)/lint-imports

bench: $(VENV)/.dev ## the benchmarks, one after the other
	@for file in tests/bench/bench_*.py; do $(BIN)/python $$file; done

$(VENV)/.venv:
	@$(PYTHON) -m venv $(VENV) && touch $@

$(VENV)/.train: $(VENV)/.venv pyproject.toml constraints.txt
	@echo "setting up (once)" && $(PIP) --editable '.[train]' && touch $@

$(VENV)/.dev: $(VENV)/.venv pyproject.toml constraints.txt
	@echo "setting up (once)" && $(PIP) --editable '.[dev]' && touch $@ $(VENV)/.train
