# The commands of this workspace; `make help` lists them. The first one that needs it sets up .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CORE := build/core-venv
CORE_STAMP := $(CORE)/.installed
BENCH := build/bench-venv
BENCH_STAMP := $(BENCH)/.installed
PROJECTS := core/pyproject.toml $(wildcard plugins/*/pyproject.toml)
PACKAGES := $(patsubst %/pyproject.toml,%,$(PROJECTS))
ALONE := core plugins/vault
INTEGRATIONS := $(filter-out $(ALONE),$(PACKAGES))
UV := 0.13.9
COMPILE = build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-header --no-emit-index-url $(UPGRADE)

.PHONY: help setup demo test check soak bench wheels constraints

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

setup: $(STAMP) ## install everything into .venv, once; again when a dependency changes

demo: $(STAMP) ## see the five shipped workflows at work, in a scratch vault
	$(BIN)/python -m tests.demo

# Core and vault are tested without the integrations, as somebody has them who installed no more. 5: nothing to run.
test: $(STAMP) $(CORE_STAMP) ## run all tests; make test ARGS="-k approvals" runs some
	$(CORE)/bin/python -m pytest $(ARGS) || { code=$$?; [ $$code = 5 ] && [ -n '$(ARGS)' ] || exit $$code; }
	$(BIN)/python -m pytest $(addsuffix /tests,$(INTEGRATIONS)) $(ARGS) \
		|| { code=$$?; [ $$code = 5 ] && [ -n '$(ARGS)' ] || exit $$code; }

check: $(STAMP) ## lint, formatting, types and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: $(STAMP) ## kill aie at every boundary, for some minutes; make soak ARGS="--minutes 60" takes longer
	$(BIN)/python -m tests.crash $(ARGS)

bench: $(BENCH_STAMP) ## measure aie beside its peers; make bench ARGS="--quick latency" measures less
	$(BENCH)/bin/python -m tests.bench $(ARGS)

wheels: $(STAMP) ## build every package into dist/
	rm -rf dist
	set -e; for package in $(PACKAGES); do $(BIN)/python -m build --wheel --no-isolation --outdir dist $$package; done

constraints: ## write constraints*.txt anew from constraints*.in; UPGRADE=--upgrade moves to the newest versions
	rm -rf build/uv
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install --quiet uv==$(UV)
	$(COMPILE) --output-file constraints.txt constraints.in
	$(COMPILE) --constraints constraints.txt --output-file constraints-bench.txt constraints-bench.in

$(STAMP): WANTED := $(PACKAGES)
$(CORE_STAMP) $(BENCH_STAMP): WANTED := $(ALONE)
$(BENCH_STAMP): constraints-bench.txt
$(STAMP) $(CORE_STAMP) $(BENCH_STAMP): constraints.txt pyproject.toml $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "aie needs Python 3.11 or newer, and '$(PYTHON)' is not: make PYTHON=python3.12 setup" >&2; exit 1; }
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --require-hashes $(addprefix -r ,$(filter constraints%,$^))
	$(@D)/bin/python -m pip install --quiet --no-deps --no-build-isolation $(addprefix -e ,$(WANTED))
	@touch $@
