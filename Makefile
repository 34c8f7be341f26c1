# `make help` lists the targets. Python 3.11 or newer and make are all that has to be there.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   ?=
BENCH  ?= all
TESTS  ?=

.DEFAULT_GOAL := help
.PHONY: help setup fmt check test demo bench generate lock tools clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## Make the environment in .venv

$(VENV)/.ready: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name it: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@echo "Making the environment in $(VENV) (about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@

fmt: setup ## Format the code
	$(BIN)/ruff check --fix --quiet --select I .
	$(BIN)/ruff format .

check: setup ## Lint, types, layers, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m trueup_schemas.generate --check

test: setup ## All tests, on the embedded Kafka and Redis (TESTS="-k name" for some)
	$(BIN)/pytest $(TESTS)

demo: setup ## A year of flights in a few minutes (DEMO="--exit --report out.json")
	@$(BIN)/trueup demo $(DEMO)

bench: $(VENV)/.bench ## Benchmarks (BENCH=name for one)
	@$(BIN)/python -m benchmarks $(BENCH)

# quixstreams wants an older pydantic than ours, so it has an environment of its own; without it, it is not measured.
$(VENV)/.bench: $(VENV)/.ready
	@echo "Installing what the benchmarks hold us against"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[bench]'
	@$(PYTHON) -m venv $(VENV)/quixstreams \
		&& $(VENV)/quixstreams/bin/python -m pip install --quiet --disable-pip-version-check \
			'quixstreams>=3.20,<4' 'river>=0.26.1' --editable . \
		|| { echo "quixstreams could not be installed: it is not measured"; rm -rf $(VENV)/quixstreams; }
	@touch $@

generate: setup ## Write the JSON Schemas and the AsyncAPI document
	$(BIN)/python -m trueup_schemas.generate

# A minute and a half for the network, then it is given up; what is unpacked is not interrupted. Debian's package also
# brings Prometheus itself as a service, which its own policy starts or, as in a container, does not.
tools: ## Install promtool, which some tests need, from Debian (as root)
	@command -v promtool >/dev/null || { \
		export DEBIAN_FRONTEND=noninteractive; \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& timeout 30 apt-get update -qq \
		&& timeout 60 apt-get install -qq --no-install-recommends --download-only prometheus >/dev/null \
		&& apt-get install -qq --no-install-recommends prometheus >/dev/null; \
	} || { \
		echo "promtool could not be installed (that takes root, apt-get and a network):" \
			"what Prometheus makes of deploy/prometheus.yml and of our metrics is not tested"; \
		exit 1; \
	}

lock: setup ## Pin every dependency anew in requirements.lock
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --extra bench --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--no-header --no-annotate --upgrade --output-file requirements.lock pyproject.toml
	@sed -i.old '/^trueup @/d' requirements.lock && rm requirements.lock.old

clean: ## Remove the environment and all data of the demo
	rm -rf $(VENV) .trueup
