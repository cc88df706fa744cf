# Every target works from a fresh clone: what it needs is installed first.

SHELL := bash
.DEFAULT_GOAL := help

PYTHON ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

RUN := .venv/bin/python
INSTALLED := .venv/.installed
PROJECTS := libs/servicekit/pyproject.toml services/api/pyproject.toml services/worker/pyproject.toml

.PHONY: help install artifact up down test bench overload abandonment soak startup-profile lint lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  Variables: PYTHON=python3.11 for another interpreter, TORCH_INDEX=URL for another source of torch,"
	@echo "             API_PORT, WORKER_PORT, POSTGRES_PORT, REDIS_PORT for other ports,"
	@echo "             STACK=embedded|compose to choose what the system runs on,"
	@echo "             ROUNDS=1 SYSTEMS=worker-auto,textbook for a part of the bench (docs/benchmarks.md)."

install: $(INSTALLED)  ## Create .venv from the locks (done by the others when needed)

$(INSTALLED): requirements/install.sh requirements/dev.lock requirements/torch.txt $(PROJECTS)
	@PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" bash requirements/install.sh

up: install  ## Start everything (in containers, if an engine answers); returns when both services are ready
	@$(RUN) -m stack up

down:  ## Stop them; documents stay
	@if [ -x $(RUN) ]; then $(RUN) -m stack down; else echo "Nothing to stop: not installed."; fi

artifact: install  ## Export the model into .warmstart/artifacts (done by the others when needed)
	@HF_HUB_OFFLINE=1 $(RUN) -m worker.export

test: artifact  ## Run every test
	$(RUN) -m pytest

bench: artifact  ## Measure worker and api beside their peers and limits (15 to 20 minutes)
	$(RUN) -m loadtest.bench

overload: artifact  ## Ten times what a worker can do, for a minute
	$(RUN) -m loadtest.bench.overload

abandonment: artifact  ## 500 clients that leave while they wait
	$(RUN) -m loadtest.bench.abandonment

soak: artifact  ## Ten minutes of mixed load; SECONDS=60 for less
	$(RUN) -m loadtest.bench.soak

startup-profile: install  ## What the start of a worker consists of
	@$(RUN) -m loadtest.startup_profile

lint: install  ## Check style and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy .

lock: install  ## Pin the dependencies anew; UPGRADE=1 takes the newest versions
	@UPGRADE="$(UPGRADE)" TORCH_INDEX="$(TORCH_INDEX)" bash requirements/lock.sh

clean:  ## Remove .venv and caches; DATA=1 also removes all documents and secrets
	@if [ -x $(RUN) ]; then \
		$(RUN) -m stack status > /dev/null 2>&1; code=$$?; \
		if [ $$code -eq 0 ] || [ $$code -eq 4 ]; then \
			echo "The stack is running: make down first." >&2; exit 1; \
		fi; \
	fi
	$(if $(DATA),@if [ -x $(RUN) ]; then $(RUN) -m stack discard; fi)
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . \( -path ./.git -o -path ./.warmstart \) -prune -o -type d \( -name __pycache__ -o -name '*.egg-info' -o -name build \) -prune -exec rm -rf {} +
	$(if $(DATA),rm -rf .warmstart .env)
