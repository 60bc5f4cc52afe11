# What a developer types. Needs make and a Python 3.11 to 3.14 with venv; all else goes into .venv, from the hashed locks.

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

PYTHON := .venv/bin/python
PIP := $(PYTHON) -m pip --quiet
INTERPRETERS := python3.14 python3.13 python3.12 python3.11 python3 python
UPGRADE ?=
ARGS ?=
LOCK := $(PYTHON) -m uv pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes --no-header $(UPGRADE)

.DELETE_ON_ERROR:
.PHONY: help setup run test soak check format bench lock clean

help: ## Say what there is to type
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile | expand -t 14

setup: .venv/.dev ## Install everything that tests and checks need

run: .venv/.runtime ## Serve on port 8000, with a SQLite file in this folder (ARGS="--port 9000")
	.venv/bin/forewarn serve $(ARGS)

test: .venv/.dev ## Run the tests on SQLite and PostgreSQL, long ones with few rounds (ARGS="-k window")
	$(PYTHON) -m pytest -n 2 --dist worksteal $(ARGS)

soak: .venv/.dev ## Run the long tests alone, with every round
	FOREWARN_ROUNDS=1000000 $(PYTHON) -m pytest -m soak $(ARGS)

check: .venv/.dev ## Check format, lint, types and import floors
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m pyright
	.venv/bin/lint-imports

format: .venv/.dev ## Format, and mend what the linter can mend
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

bench: .venv/.dev ## Measure against yardsticks in the same run
	$(PYTHON) -m bench $(ARGS)

lock: .venv/.dev ## Pin what requirements/*.in ask for (UPGRADE=--upgrade for the newest)
	$(LOCK) requirements/runtime.in -o requirements/runtime.txt
	$(LOCK) requirements/dev.in -o requirements/dev.txt

clean: ## Remove .venv and every cache; data stays
	rm -rf .venv .hypothesis .pytest_cache .ruff_cache .import_linter_cache build dist
	find app alembic bench tests -name __pycache__ -type d -prune -exec rm -rf {} +

# An interpreter counts once it has run: a name on PATH may be a shim with nothing behind it.
$(PYTHON):
	@for python in $(INTERPRETERS); do \
		if "$$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then \
			echo "Making .venv with $$("$$python" --version)."; \
			exec "$$python" -m venv --clear .venv; \
		fi; \
	done; \
	echo "forewarn needs a Python 3.11, 3.12, 3.13 or 3.14 with the venv module on PATH, and found none." >&2; \
	exit 1

.venv/.runtime: requirements/runtime.txt pyproject.toml | $(PYTHON)
	@echo "Installing what the service runs on."
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.runtime
	@echo "Installing what tests and checks need."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
