# `make up` and `make test` do all the set-up themselves; all they need is Python 3.11 or newer.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARGS   ?=
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up down test check fuzz bench lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements/all.txt pyproject.toml sdks/neon/pyproject.toml scripts/setup.py $(wildcard sdks/neon/pulumi_neon/*)
	@$(PYTHON) scripts/setup.py

up: $(READY) ## bring the whole product up on this machine; ARGS='--detach' hands arguments on
	@$(BIN)/stack up $(ARGS)

down: $(READY) ## stop it; the data stays
	@$(BIN)/stack down

test: $(READY) ## run the tests; ARGS='-k name' hands arguments on
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: $(READY) ## format, lint, types, workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@$(BIN)/zizmor --offline --quiet --persona=auditor .github
	@$(BIN)/python scripts/check_frontend.py

fuzz: $(READY) ## send the service much more of what fits its document and what does not; FUZZ_EXAMPLES and FUZZ_SEED are heeded
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-200} $(BIN)/python -m pytest -s tests/deployed/test_schemathesis.py tests/deployed/test_odd_requests.py $(ARGS)

bench: $(READY) ## measure: bundle, function init, local cloud, service; ARGS names some of them
	@$(BIN)/python -m benchmarks $(ARGS)

lock: $(READY) ## compile the locks from requirements/*.in; ARGS='--upgrade' takes newer versions
	@$(BIN)/python scripts/lock.py $(ARGS)

clean: ## remove the environment and what was built; the local data stays
	rm -rf $(VENV) frontend/node_modules frontend/.next frontend/out .pytest_cache .ruff_cache
