# Every target sets up the environment first; it needs Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARGS   :=
NAME   :=
unexport $(filter PG% PYTHON%,$(.VARIABLES))

# `.ready` holds the path that the environment was made for. It is set up again when the checkout was
# moved, and when its interpreter or its packages are gone.
ifneq "$(shell $(BIN)/python -I -c 'import uv' 2>/dev/null && cat $(READY) 2>/dev/null)" "$(CURDIR)"
$(READY): .FORCE
endif

.PHONY: .FORCE help up down logs test check fuzz bench lock openapi migration new-service clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements/all.txt pyproject.toml sdks/neon/pyproject.toml scripts/setup.py $(wildcard sdks/neon/pulumi_neon/*)
	@$(PYTHON) scripts/setup.py

up: $(READY) ## run the whole product locally; ARGS='--detach' passes arguments to `stack up`
	@$(BIN)/stack up $(ARGS)

down: $(READY) ## stop what `make up` started; the data is kept
	@$(BIN)/stack down

logs: $(READY) ## print the logs of what runs; ARGS=-f prints new lines as they arrive
	@$(BIN)/stack logs $(ARGS)

test: $(READY) ## run the tests; ARGS='-k name' passes arguments to pytest
	@echo "Collecting the tests: this imports the service, the program and the SDKs …"
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: $(READY) ## check format, lint, types, migrations and workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright && $(BIN)/basedpyright --project tests
	@$(BIN)/python scripts/check_migrations.py
	@$(BIN)/zizmor --offline --quiet --persona=auditor .github
	@$(BIN)/python scripts/check_frontend.py

fuzz: $(READY) ## send the service many more valid and invalid requests; FUZZ_EXAMPLES and FUZZ_SEED change how many and which
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-200} $(BIN)/python -m pytest -s tests/deployed/test_schemathesis.py tests/deployed/test_odd_requests.py $(ARGS)

bench: $(READY) ## measure bundle, function init, local cloud and service; ARGS names some of them
	@$(BIN)/python -m benchmarks $(ARGS)

lock: $(READY) ## compile the locks from requirements/*.in; ARGS='--upgrade' takes newer versions
	@$(BIN)/python scripts/lock.py $(ARGS)

openapi: $(READY) ## write docs/openapi.json from the service's routes and schemas
	@$(BIN)/python scripts/openapi.py

migration: $(READY) ## write the next migration from service/schema/tables.py; NAME="add a column" names it
	@$(BIN)/python scripts/migration.py "$(NAME)"

new-service: $(READY) ## replace the product by a small service and site of your own; asks first, ARGS='--yes' does not
	@$(BIN)/python scripts/new_service.py $(ARGS)

clean: ## remove the environment and what was built; the local data is kept
	rm -rf $(VENV) frontend/node_modules frontend/.next frontend/out .pytest_cache .ruff_cache
