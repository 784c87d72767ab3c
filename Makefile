# Everything a developer or CI calls; `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
NODE_PACKAGES := worker/local/node
SITE := PYTHONPATH=$(CURDIR) NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs
READY := $(VENV)/.ready $(NODE_PACKAGES)/node_modules/.ready

AZ_VENV := $(VENV)-az

.PHONY: help setup demo test check check-az site bench chaos simulate corpus scan image check-image lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: $(READY) ## install all that demo and test need: .venv, Node, Node packages, bubblewrap
	@bash deploy/setup/bubblewrap.sh

$(VENV)/.ready: deploy/locks/dev.txt pyproject.toml deploy/setup/python.sh
	@bash deploy/setup/python.sh $(VENV)
	@touch $@

$(NODE_PACKAGES)/node_modules/.ready: $(NODE_PACKAGES)/package-lock.json | $(VENV)/.ready
	@echo "Installing the Node packages of the local stack (azurite, nel) from their lock"
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" npm ci --prefix $(NODE_PACKAGES) --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

demo: setup ## grade the example class on the local stack; ends with a table and the report's path
	@$(VENV)/bin/jsworker grade examples/grading/submissions --each folder --cases examples/grading/cases.yaml --local --report .jsworker/report.html

test: check ## run the checks and all tests, those of the report in Chromium
	@bash deploy/setup/chromium.sh
	@$(PYTHON) -m pytest --numprocesses $$(($$(nproc) + 2)) --dist loadfile --no-loadscope-reorder

check: setup ## lint, format, types, import rules, Dockerfiles, the documentation
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache
	@$(VENV)/bin/hadolint Dockerfile deploy/local.Dockerfile
	@$(SITE) build --strict --config-file deploy/site/mkdocs.yml

site: setup ## build the documentation site in build/site; make site ARGS=serve shows it
	@$(SITE) $(or $(ARGS),build) --strict --config-file deploy/site/mkdocs.yml

check-az: $(AZ_VENV)/.ready ## hold all calls of az and azd in pages, scripts and remedies against the Azure CLI (large)
	@$(AZ_VENV)/bin/python -m tests.azure_commands

$(AZ_VENV)/.ready: deploy/locks/az.txt | $(VENV)/.ready
	@echo "Installing the Azure CLI into $(AZ_VENV)"
	@$(PYTHON) -m venv --clear $(AZ_VENV)
	@$(AZ_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/locks/az.txt
	@touch $@

bench: setup ## measure the worker and the local stack; prints a table
	@$(PYTHON) -m tests.bench $(ARGS)

chaos: setup ## let workers and services fail in every way and check the promises: make chaos ARGS="--seed N"
	@$(PYTHON) -m tests.chaos $(ARGS)

simulate: setup ## simulate fleets under faults, by seeds: make simulate ARGS=0-4999
	@$(PYTHON) -m tests.simulation $(ARGS)

corpus: setup ## run programs with known outcomes: make corpus DIR=...
	@test -n "$(DIR)" || { echo "usage: make corpus DIR=<folder of .jsonl files>" >&2; exit 2; }
	@$(PYTHON) -m tests.corpus $(DIR) $(ARGS)

scan: ## look for insecure settings in deploy/infra and the Dockerfile (checkov)
	@bash deploy/setup/scan.sh $(VENV)-scan

image: ## build the worker's image, with docker or buildah; with LOCAL=1 that of the local stack
	@deploy/image/build.sh

check-image: setup ## build both images with buildah, run them as containers, check what is promised; needs root
	@BUILDER=buildah deploy/image/build.sh localhost/jsworker
	@$(PYTHON) -m tests.image $(foreach file,$(PIP_CONF) $(NPM_CONF),--built-with $(file)) $(ARGS)
	@LOCAL=1 BUILDER=buildah deploy/image/build.sh localhost/jsworker-local
	@$(PYTHON) -m tests.image.compose

lock: setup ## lock the dependencies again, with hashes
	@bash deploy/setup/lock.sh

clean: ## remove what setup and the local stack have made
	@rm -rf $(VENV) $(VENV)-scan $(AZ_VENV) $(NODE_PACKAGES)/node_modules .jsworker build/site .mypy_cache .ruff_cache .pytest_cache .hypothesis
