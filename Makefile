# Every target works from a fresh clone: what it needs is installed first.

SHELL := bash
# With MAKEFLAGS=-j, an export would run while pip changes .venv.
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

RUN := .venv/bin/python
# Meant for other programs: Python would find other modules, or none at all. What $(shell) runs has them before make 4.4.
FOREIGN := PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONWARNINGS _PYTHON_SYSCONFIGDATA_NAME
unexport $(FOREIGN)
WITHOUT_FOREIGN := env $(addprefix -u ,$(FOREIGN))
# conda and tcsh export HOST, the name of the machine: what isn't said on make's command line must be a URL.
LOAD_HOST := $(if $(or $(findstring command,$(origin HOST)),$(findstring ://,$(HOST))),$(if $(HOST),--host "$(HOST)"))
SERVES := .venv/.installed-run
DEVELOPS := .venv/.installed-dev
QUANTIZES := .venv/.installed-int8
PREDICTS := .venv/.installed-predictor
TOOLS := .venv-tools/.installed
PROJECTS := $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)

.PHONY: help install install-dev install-int8 install-predictor artifact graph images up down test test-python drills loadtest loadtest-ui coldstart coldstart-check startup-profile startup-matrix \
	reindex bench scale overload flood abandonment overhead soak fuzz lint workflows lock licenses sbom audit \
	wheel clean k8s-validate k8s-up k8s-down k8s-drills kind

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  Variables: PYTHON=python3.11 for another interpreter, TORCH_INDEX=URL for another source of torch,"
	@echo "             API_PORT, WORKER_PORT, NEXT_WORKER_PORT, CHAT_PORT, POSTGRES_PORT, REDIS_PORT for other ports,"
	@echo "             STACK=embedded|compose to choose what the system runs on,"
	@echo "             CHAT=demo for a stand-in of a chat model, which echoes sources (docs/containers.md),"
	@echo "             DRILLS='redis or rolling', REQUESTS=1000, RUNS=1, ABORT_AFTER=20 for make drills,"
	@echo "             KUBE_CONTEXT=NAME for the k8s targets: the context of the cluster that is meant,"
	@echo "             ROUNDS=1 SYSTEMS=worker-auto,textbook for a part of the bench (docs/benchmarks.md)."

install: $(SERVES)  ## Create .venv with what the system runs on (done by the others when needed)

install-dev: $(DEVELOPS)  ## Add torch, and what tests, lint and load tests need (done by the others when needed)

install-int8: $(QUANTIZES)  ## Add nncf, which makes int8 of a model (done by make artifact PRECISION=int8 when needed)

install-predictor: $(PREDICTS)  ## Add scikit-learn and skops, for a worker with PREDICTOR (docs/predict.md)

# What the age of no file tells: the Python below .venv is gone, or another one; or the folder was copied or renamed, and
# .venv leads to the sources of the former. A link instead of .venv is somebody's choice.
SOURCES := import sys, pip; from importlib.util import find_spec; sys.exit(not find_spec("warmstart").origin.startswith(sys.argv[1]))
UNFIT := $(shell [ ! -e $(SERVES) ] || [ -L .venv ] || $(WITHOUT_FOREIGN) $(RUN) -c '$(SOURCES)' "$(CURDIR)/" 2> /dev/null || echo unfit)
UNFIT_TOOLS := $(shell [ ! -e $(TOOLS) ] || $(WITHOUT_FOREIGN) .venv-tools/bin/python -c 'import pip' 2> /dev/null || echo unfit)
.PHONY: unfit

$(SERVES): requirements/install.sh requirements/run.lock $(PROJECTS) $(UNFIT)
	@PYTHON="$(PYTHON)" bash requirements/install.sh run

$(DEVELOPS): $(SERVES) requirements/dev.lock requirements/torch.txt
	@PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" bash requirements/install.sh dev

$(TOOLS): requirements/tools.lock $(UNFIT_TOOLS) | $(SERVES)
	@rm -rf .venv-tools && $(RUN) -m venv .venv-tools
	@.venv-tools/bin/python -m pip install --disable-pip-version-check --quiet --no-compile --no-deps --require-hashes -r $<
	@touch $@

$(QUANTIZES): $(SERVES) requirements/int8.lock
	@PYTHON="$(PYTHON)" bash requirements/install.sh int8

$(PREDICTS): $(SERVES) requirements/predictor.lock
	@PYTHON="$(PYTHON)" bash requirements/install.sh predictor

up: install  ## Start everything (in containers, if an engine answers); returns when both services are ready
	@$(RUN) -m stack up

# Whether .venv can run the stack, and whether a process of the embedded one runs: each was started with this variable.
CAN_RUN := $(RUN) -c 'import psutil' 2> /dev/null
LIVES := grep -qszF "WARMSTART_DAEMON=$$(readlink -f .warmstart)/" /proc/[0-9]*/environ
# Whether make up chose an engine or a cluster, or documents are on another disk: only the stack itself finds them there.
ELSEWHERE := { [ -e .warmstart/kind ] && ! grep -qx embedded .warmstart/kind; }
# Whether there may be containers of which `stack status` doesn't tell: those of a former COMPOSE_PROJECT_NAME, say.
IN_CONTAINERS := { grep -qsx compose .warmstart/kind && docker version > /dev/null 2>&1; }
LINKED := [ -L .warmstart ] || [ -L .warmstart/data ]

down:  ## Stop the system; documents stay (in a cluster they are deleted, see k8s-down)
	@if $(CAN_RUN); then $(RUN) -m stack down; \
	elif $(LIVES); then echo "make down: the system runs, and .venv can't stop it: make install first" >&2; exit 1; \
	elif $(ELSEWHERE); then echo "make down: make up chose $$(cat .warmstart/kind), and .venv can't stop that: make install first" >&2; exit 1; \
	else echo "Nothing to stop: not installed."; fi

images: install  ## Build the images of both services (done by up when needed)
	@$(RUN) -m stack images

# From make's command line alone: a MODEL, STEP, YES or DATA of the environment was meant for something else.
given = $(if $(filter command,$(firstword $(origin $1))),$($1))

# The default model is exported without torch, another one with it.
DEFAULT_MODELS := all-MiniLM-L6-v2 sentence-transformers/all-MiniLM-L6-v2 all-MiniLM-L6-v2-int8
artifact: $(if $(filter-out $(DEFAULT_MODELS),$(EMBEDDING_MODEL)),install-dev,install) $(if $(filter int8,$(PRECISION)),install-int8)  ## Export the model that EMBEDDING_MODEL names: a folder, or organisation/name of the hub (done when needed); PRECISION=int8 quantizes it
	@$(RUN) -m worker.export $(if $(call given,TEXTS),--texts "$(TEXTS)") $(if $(call given,LABELLED),--labelled "$(LABELLED)")

reindex: $(if $(filter-out $(DEFAULT_MODELS),$(call given,MODEL)),install-dev,install)  ## Replace the model while it serves: MODEL=name, YES=1; then STEP=cut-over, roll-back, finish, abandon or status
	@case "$(if $(call given,MODEL),model)$(if $(call given,STEP),step)" in model|step) ;; *) \
	  echo "make reindex MODEL=…, or STEP=cut-over, roll-back, finish, abandon or status" >&2; exit 2 ;; esac
	$(if $(call given,MODEL),@EMBEDDING_MODEL="$(MODEL)" $(RUN) -m worker.export)
	@$(RUN) -m stack reindex $(if $(call given,MODEL),--model "$(MODEL)","$(STEP)") $(if $(filter 1,$(call given,YES)),--yes)

graph: install-dev  ## Make again what the repository ships of the default model: a graph, and reference vectors
	@HF_HUB_OFFLINE=1 $(RUN) -m worker.graph

test: install-dev install-int8 install-predictor artifact  ## Run every test
	$(RUN) -m pytest

test-python: install-dev  ## Run the tests of the library and of both services under other Pythons (PYTHONS='3.12 3.13')
	@PYTHONS="$(PYTHONS)" bash requirements/test.sh

drills: install-dev artifact  ## Break the system on purpose and check its claims; reports in reports/drills
	$(RUN) -m pytest drills/scenarios -v -p no:cacheprovider -o faulthandler_timeout=0 -k "$$DRILLS"

bench: install-dev artifact  ## Compare worker and api with their peers and limits (50 minutes)
	$(RUN) -m loadtest.bench

scale: install-dev artifact  ## Measure how the cost of documents and searches grows: 10,000 and 100,000 documents (SIZES), FULL=1 a million
	$(RUN) -m loadtest.scale

overload: install-dev artifact  ## Send ten times a worker's capacity for a minute
	$(RUN) -m loadtest.bench.overload

flood: install-dev artifact  ## Search while documents are stored at ten times the capacity, with and without the bulk lane
	$(RUN) -m loadtest.bench.flood

abandonment: install-dev artifact  ## Let 500 clients leave while they wait
	$(RUN) -m loadtest.bench.abandonment

overhead: install-dev  ## Measure what metrics, logs, ids and keys cost of a cache hit
	$(RUN) -m loadtest.bench.overhead

soak: install-dev artifact  ## Send mixed load for ten minutes; SECONDS=60 shortens it
	$(RUN) -m loadtest.bench.soak

fuzz: install-dev artifact  ## Send odd bytes, requests of schemathesis and slow connections to both services (MESSAGES, CASES, SEED)
	$(RUN) -m loadtest.fuzz --messages $(or $(MESSAGES),20000) --cases $(or $(CASES),2000) --seed $(or $(SEED),0)

startup-profile: install-dev artifact  ## Show the stages of a worker's start, and their times
	@$(RUN) -m loadtest.startup_profile

startup-matrix: install-dev artifact  ## Start the worker under several Pythons and CPU quotas (PYTHONS='3.12 3.13', CPUS='0.5 1 2')
	@PYTHONS="$(or $(PYTHONS),3.12 3.13 3.14)" bash requirements/test.sh install
	@PYTHONS="$(or $(PYTHONS),3.12 3.13 3.14)" $(RUN) -m loadtest.startup_matrix

loadtest: install-dev  ## Put load on the running system; fails when it is too slow (STAGES, OPEN_RATE, HOST)
	@mkdir -p reports/loadtest
	@OPEN_RATE=$${OPEN_RATE:-10} $(RUN) -m locust -f loadtest/locustfile.py,loadtest/stages.py --headless --only-summary \
		--stop-timeout 15 --html reports/loadtest/index.html $(LOAD_HOST)

loadtest-ui: install-dev  ## The same, controlled by hand at http://127.0.0.1:8089
	$(RUN) -m locust -f loadtest/locustfile.py --web-host 127.0.0.1 --stop-timeout 15 $(LOAD_HOST)

coldstart: install-dev artifact  ## Measure each way of starting the worker; report in reports/coldstart (TRIALS=10, FULL=1)
	$(RUN) -m loadtest.coldstart --trials $(or $(TRIALS),10) $(if $(FULL),--full)

coldstart-check: install-dev artifact  ## Fail when the worker is ready before it is warm, or the start budget is too small
	$(RUN) -m loadtest.coldstart_check

lint: install-dev workflows  ## Check style, types and workflows
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy .

# The schemas come with the tool; zizmor looks for what an attacker could use.
SCHEMA := .venv-tools/bin/python -m check_jsonschema --builtin-schema
workflows: $(TOOLS)  ## Check .github and compose.yaml (done by lint); with actionlint too, if it is installed
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) custom.github-workflows-require-timeout .github/workflows/*.yml
	$(SCHEMA) vendor.github-actions .github/actions/*/action.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.compose-spec compose.yaml
	.venv-tools/bin/zizmor --offline --no-progress --quiet .github
	@if command -v actionlint > /dev/null; then actionlint; fi

licenses: install-dev  ## List the licences of what serves in reports/licenses.md; fails on one that pyproject.toml doesn't allow
	@mkdir -p reports
	@$(RUN) -m piplicenses --python $(RUN) --output-file reports/licenses.md \
		--packages $$(sed -nE 's/^([a-z0-9][a-z0-9._-]*)==.*/\1/p' requirements/run.lock)

sbom: $(TOOLS)  ## Write what both images hold as CycloneDX into reports/sbom
	@mkdir -p reports/sbom
	@for service in api worker; do \
		.venv-tools/bin/python -W ignore -m cyclonedx_py requirements "requirements/$$service.lock" --output-reproducible \
			--pyproject "services/$$service/pyproject.toml" --output-file "reports/sbom/$$service.cdx.json" || exit 1; \
		echo "reports/sbom/$$service.cdx.json"; \
	done

audit: $(TOOLS)  ## Ask PyPI for known vulnerabilities of what serves (needs internet)
	@bash requirements/audit.sh

wheel: $(TOOLS)  ## Build the library's wheel and source distribution into dist
	@rm -rf dist
	.venv-tools/bin/python -m build --outdir dist libs/warmstart

lock: install-dev  ## Pin the dependencies again; UPGRADE=1 takes the newest versions
	@UPGRADE="$(UPGRADE)" TORCH_INDEX="$(TORCH_INDEX)" bash requirements/lock.sh

k8s-validate: install-dev  ## Render every Kubernetes overlay and check it: schemas, and the rules of k8s/tests
	REQUIRE_KUBECTL=1 $(RUN) -m pytest k8s

k8s-up: install  ## Apply k8s/ to the cluster that KUBE_CONTEXT names; returns when both services are ready
	@STACK=kubernetes $(RUN) -m stack up

k8s-down: install  ## Delete the namespace warmstart of that cluster, and the documents with it
	@STACK=kubernetes $(RUN) -m stack down

k8s-drills: install  ## Run the drills in that cluster; its namespace warmstart is replaced and deleted
	@STACK=kubernetes $(MAKE) drills

kind: install  ## Make a kind cluster with the images, and start the system in it
	@k8s/kind.sh

clean:  ## Remove .venv and caches; DATA=1 also the secrets, and the documents of the stack that make up chose last
	@code=3; if $(CAN_RUN); then $(RUN) -m stack status > /dev/null 2>&1; code=$$?; fi; \
	if [ $$code -eq 0 ] || [ $$code -eq 4 ] || $(LIVES) || { [ $$code -eq 1 ] && $(IN_CONTAINERS); }; then \
		echo "The stack is running: stop it first (make down)." >&2; exit 1; fi
	$(if $(filter 1,$(call given,DATA)),@if $(CAN_RUN); then $(RUN) -m stack discard; \
	elif $(ELSEWHERE) || $(LINKED); then echo "make clean: .venv can't delete the documents outside this folder: make install first" >&2; exit 1; fi)
	rm -rf .venv .venv-* dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . \( -path ./.git -o -path ./.warmstart \) -prune -o -type d \( -name __pycache__ -o -name '*.egg-info' -o -name build \) -prune -exec rm -rf {} +
	$(if $(filter 1,$(call given,DATA)),rm -rf .warmstart .env)
