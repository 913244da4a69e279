# Everything here needs only make and Python 3.11 or newer; the rest is installed into this folder from lock files.
PYTHON ?= python3
VENV   := .venv
UV     := .tools/uv/bin/uv
BIN    := $(VENV)/bin
ARGS   ?=
PODMAN ?= podman
# Failed tests once more, to name the flaky ones. It reads pytest's cache, so each run begins with an empty one.
RUN_AGAIN := $(BIN)/python tests/run_again.py

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev up test test-slow random attack test-browser test-clients test-presidio test-pod faults bench bench-full bench-tiers steady check audit \
	format lock vendored screenshots monitoring-tools operator-rules clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.run  ## install everything that running needs into .venv
setup-dev: $(VENV)/.dev  ## the same, and what developing and testing needs

up: $(VENV)/.run  ## start everything on this machine; Ctrl-C stops it
	@exec $(BIN)/vestibule up $(ARGS)

# Three at a time, since the long ones mostly wait; they come first, so that none is left running alone at the end.
test: $(VENV)/.dev  ## run the test suite (with ARGS, what they choose)
	$(BIN)/pytest --cache-clear -n 4 --dist loadfile --no-loadscope-reorder $(or $(ARGS),-m "not slow") || $(RUN_AGAIN) $$?

test-slow: $(VENV)/.dev  ## systems that are killed, moved and overloaded (minutes)
	$(BIN)/pytest --cache-clear -n 2 --dist loadfile --no-loadscope-reorder -m slow $(ARGS) || $(RUN_AGAIN) $$? -m slow

random: $(VENV)/.dev  ## the tests of properties with examples that no run had before
	VESTIBULE_RANDOM_EXAMPLES=1 $(BIN)/pytest -n 2 tests/unit tests/conformance $(ARGS)

test-browser: $(VENV)/.browser .tools/axe-core/.made  ## the pages for people in a real browser; skipped where there is none (.ci/browser installs one)
	$(BIN)/pytest --cache-clear -n0 -m browser tests/browser $(ARGS) || $(RUN_AGAIN) $$? -m browser tests/browser

test-clients: $(VENV)/.dev .tools/clients/.made  ## generate clients from the descriptions, in Python and (where there is npm) TypeScript, and use them
	$(BIN)/pytest --cache-clear -n0 -m clients tests/clients $(ARGS) || $(RUN_AGAIN) $$? -m clients tests/clients

test-presidio: $(VENV)/.dev .tools/presidio/.made  ## the same requests to /presidio/ and to Presidio itself, from PyPI
	$(BIN)/pytest --cache-clear -n0 -m presidio tests/presidio $(ARGS) || $(RUN_AGAIN) $$? -m presidio tests/presidio

attack: $(VENV)/.attack  ## ask running systems thousands of hostile things, set their clock by a day (minutes; SECONDS=60 TIMES=5 for more)
	VESTIBULE_ATTACK_SECONDS=$(SECONDS) VESTIBULE_ATTACK_TIMES=$(or $(TIMES),1) \
		$(BIN)/pytest -n0 -m attack tests/attack $(ARGS)
	VESTIBULE_FAULT_TASKS=1 $(BIN)/pytest -n0 tests/journeys/test_clock.py -k day

test-pod: $(VENV)/.dev  ## build the image, start the pod and the compose deployment, drive, hurt and remove them
	export VESTIBULE_TEST_PODMAN="$(PODMAN)"; \
		$(BIN)/pytest --cache-clear -n0 -m pod $(if $(findstring tests/,$(ARGS)),,tests/pod) $(ARGS) || $(RUN_AGAIN) $$? -m pod tests/pod

bench: $(VENV)/.dev  ## load on Vestibule, the tutorial version and bare answers, side by side (minutes; needs wrk)
	$(BIN)/python -m benchmarks.load --json build/bench.json $(ARGS)
	$(BIN)/python -m benchmarks.tasks

bench-full: $(VENV)/.dev  ## the same over all routes and numbers of connections, with floors and plots (an hour)
	$(BIN)/python -m benchmarks.floor.alone
	$(BIN)/python -m benchmarks.load --connections 10,50,100,500,1000 --rounds 5 \
		--routes add,dirty,mixed,run,messages,read,scan --json build/bench-full.json --plots docs/images $(ARGS)
	$(BIN)/python -m benchmarks.tasks
	$(BIN)/python -m benchmarks.growth --plots docs/images

steady: $(VENV)/.dev  ## mixed load for MINUTES (10): memory, descriptors and times must stay flat, logs must rotate
	$(BIN)/python -m benchmarks.steady --minutes $(or $(MINUTES),10) $(ARGS)

bench-tiers: $(VENV)/.dev  ## 10 to 1,000 connections at once with a mix of requests, as a table (needs wrk)
	$(BIN)/python -m benchmarks.tiers $(ARGS)

faults: $(VENV)/.dev  ## compare stores with a model and kill one at length, hold 10,000 connections, hurt every part under a long load
	VESTIBULE_TEST_SLOW_STORE_EXAMPLES=25 $(BIN)/pytest -q -n0 --timeout 1800 -k model \
		tests/conformance/test_stores.py tests/conformance/test_store_history.py $(ARGS)
	VESTIBULE_TEST_KILLS=100 $(BIN)/pytest -q --timeout 1800 tests/unit/database_service/test_kills.py $(ARGS)
	VESTIBULE_FAULT_CONNECTIONS=$(or $(CONNECTIONS),10000) \
		$(BIN)/pytest -n0 -s -q --timeout 600 tests/journeys/test_hostile_callers.py
	VESTIBULE_FAULT_TASKS=$(or $(TASKS),400) VESTIBULE_FAULT_SECONDS=$(or $(SECONDS),60) \
		$(BIN)/pytest -n0 -s -q --timeout 1800 tests/journeys/test_task_faults.py tests/journeys/test_task_recovery.py \
		tests/journeys/test_clock.py tests/journeys/test_lost_answers.py \
		tests/integration/test_redis_kinds.py tests/integration/test_rabbitmq.py $(ARGS)

check: $(VENV)/.dev  ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

audit:  ## ask which packages of the locks have known vulnerabilities (needs the internet)
	@$(PYTHON) -m venv --clear .tools/audit
	@.tools/audit/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.lock
	@set -e; for lock in run build dev uv audit; do \
		echo "$$lock.lock:"; .tools/audit/bin/pip-audit --require-hashes --disable-pip -r requirements/$$lock.lock; done

format: $(VENV)/.dev  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(UV)  ## resolve the dependencies anew into requirements/*.lock
	requirements/compile $(UV)

vendored:  ## copy the recorded files of npm packages that pages load, or another version: PACKAGE=swagger-ui-dist VERSION=5.x.y
	@requirements/vendor $(PACKAGE) $(VERSION)

screenshots: $(VENV)/.browser  ## every page of the console, wide and narrow, light and dark, of a system with data: build/screenshots
	@cd tests && ../$(BIN)/python -m browser.console.screenshots ../build/screenshots

monitoring-tools:  ## install Prometheus and Alertmanager from Debian's packages, for their tests; start neither
	.ci/from-debian prometheus prometheus-alertmanager

operator-rules:  ## copy the rules of deploy/monitoring into the objects that the Prometheus Operator reads
	@for rules in recording alerts; do \
		printf '%s\n' '---' "# Made of deploy/monitoring/rules/$$rules.yml by make operator-rules." \
			'apiVersion: monitoring.coreos.com/v1' 'kind: PrometheusRule' "metadata: {name: vestibule-$$rules}" 'spec:'; \
		sed -n '/^groups:/,$$ s/^/  /p' deploy/monitoring/rules/$$rules.yml; \
	done > deploy/kubernetes/components/prometheus-operator/rules.yaml

clean:  ## remove what was installed here
	rm -rf $(VENV) .tools

# The supported way to get uv without asking the machine for more than Python: a venv of its own, pinned by hash.
$(UV): requirements/uv.lock
	@echo "Setting up uv in .tools ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vestibule needs Python 3.11 or newer; set PYTHON=...")'
	@$(PYTHON) -m venv --clear .tools/uv
	@.tools/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@touch $@

# Bytecode is compiled now: the first start would take several times as long, and every one where none may be written.
$(VENV)/.run: requirements/run.lock requirements/build.lock pyproject.toml | $(UV)
	@echo "Installing Vestibule into $(VENV) ..."
	@test -x $(BIN)/python || $(UV) venv --quiet --python "$$(command -v $(PYTHON))" $(VENV)
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/run.lock -r requirements/build.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.attack: requirements/attack.lock $(VENV)/.dev
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/attack.lock
	@touch $@

# The generators have other dependencies than Vestibule.
.tools/clients/.made: requirements/clients.lock tests/clients/package-lock.json | $(UV)
	@$(UV) venv --quiet --clear --python "$$(command -v $(PYTHON))" .tools/clients
	@$(UV) pip install --quiet --python .tools/clients/bin/python --require-hashes -r requirements/clients.lock
	@cp tests/clients/package.json tests/clients/package-lock.json .tools/clients/
	@! command -v npm >/dev/null || npm ci --prefix .tools/clients --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# Its analyzer runs without a model: none is in a package index.
.tools/presidio/.made: requirements/presidio.lock | $(UV)
	@$(UV) venv --quiet --clear --python "$$(command -v $(PYTHON))" .tools/presidio
	@$(UV) pip install --quiet --python .tools/presidio/bin/python --require-hashes -r requirements/presidio.lock
	@touch $@

# What the tests look for barriers with; without npm they are skipped.
.tools/axe-core/.made: requirements/vendored.json
	@mkdir -p $(@D)
	@! command -v npm >/dev/null || requirements/vendor axe-core
	@touch $@

$(VENV)/.browser: requirements/browser.lock $(VENV)/.dev
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/browser.lock
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@touch $@
