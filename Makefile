# Five verbs. Everything they need is made by tools/bootstrap.py with any python3 >= 3.11.
PYTHON ?= python3
PORT ?= 8000
PEOPLE ?= 500
BIN := .venv/bin

.PHONY: run test lint bench load setup format lock

run: ## The demo: a fictional duty station on http://127.0.0.1:$(PORT). Ctrl-C ends it.
	@$(PYTHON) tools/bootstrap.py run
	@exec $(BIN)/muster demo --port $(PORT) --people $(PEOPLE)

test: ## Everything a push must pass.
	@$(PYTHON) tools/bootstrap.py test
	@exec $(BIN)/python tools/check.py

lint: ## The quick part of test: formatting, lint, types, import contracts, client checks.
	@$(PYTHON) tools/bootstrap.py test
	@exec $(BIN)/python tools/check.py --only format,lint,types,imports,clients

bench: ## Writes bench.json; ONLY=name,name runs some.
	@$(PYTHON) tools/bootstrap.py test
	@exec $(BIN)/python -m loadtests.bench $(if $(ONLY),--only $(ONLY))

load: ## Locust, headless and bounded.
	@$(PYTHON) tools/bootstrap.py test
	@exec $(BIN)/python -m loadtests.load

setup: ## What test sets up, without running it.
	@$(PYTHON) tools/bootstrap.py test

format:
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: ## After a change of dependencies in pyproject.toml. Needs uv on PATH.
	@$(PYTHON) tools/lock.py
