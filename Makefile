# The commands of this workspace; `make help` lists them. The first one that needs it sets up .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := build/bench-venv
BENCH_STAMP := $(BENCH)/.installed
DOCS := build/docs-venv
DOCS_STAMP := $(DOCS)/.installed
PROJECTS := core/pyproject.toml $(wildcard plugins/*/pyproject.toml)
PACKAGES := $(patsubst %/pyproject.toml,%,$(PROJECTS))
ALONE := core plugins/vault
NAMES := core $(notdir $(filter-out $(ALONE),$(PACKAGES)))
APART := $(NAMES:%=build/%-venv/.installed)
EACH := $(notdir $(PACKAGES))
CONTRACTS := tests/test_contract.py plugins/vault/tests/test_contract.py
ONE := $(EACH:%=build/%-alone/.installed)
UV := 0.13.9
COMPILE = build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-header --no-emit-index-url $(UPGRADE)

.PHONY: help setup demo test check docs soak bench wheels constraints

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

setup: $(STAMP) ## install everything into .venv, once; again when a dependency changes

demo: $(STAMP) ## see the five shipped workflows at work, in a scratch vault
	$(BIN)/python -m tests.demo

# Core with vault, and each integration beside these two, have an environment of their own: somebody may install no more.
# The contract of plugins is tried where there is nothing but core and the plugin it is about.
test: $(STAMP) $(APART) $(ONE) ## run all tests; make test ARGS="-k approvals" runs some
	@set -e; for name in $(NAMES) together $(EACH:%=%-alone); do \
		python=build/$$name-venv/bin/python; \
		case $$name in \
			core) paths="tests plugins/vault/tests --ignore=tests/together $(CONTRACTS:%=--ignore=%)";; \
			together) paths=tests/together; python=$(BIN)/python;; \
			core-alone) paths=tests/test_contract.py; python=build/$$name/bin/python;; \
			*-alone) paths=plugins/$${name%-alone}/tests/test_contract.py; python=build/$$name/bin/python;; \
			*) paths="plugins/$$name/tests --ignore=plugins/$$name/tests/test_contract.py";; \
		esac; \
		echo "$$python -m pytest $$paths $(ARGS)"; \
		$$python -m pytest $$paths $(ARGS) || { code=$$?; [ $$code = 5 ] && [ -n '$(ARGS)' ] || exit $$code; }; \
	done  # 5: none of what ARGS asks for is there

check: $(STAMP) ## lint, formatting, types and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Whatever Sphinx warns of fails the build: a link that leads nowhere, a page that no table of contents names. It warns
# only of what it reads, so it reads everything each time.
docs: $(DOCS_STAMP) ## build the documentation as a static site in build/docs
	rm -rf build/docs build/docs-cache
	$(DOCS)/bin/python -m sphinx -W --keep-going -n -q -c docs/site -d build/docs-cache . build/docs
	@echo "The site is in build/docs: open build/docs/index.html"

soak: $(STAMP) ## kill aie at every boundary, for the better part of an hour; ARGS="--points 60" takes a sample
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
	$(COMPILE) --constraints constraints.txt --output-file constraints-docs.txt constraints-docs.in

build/core-alone/.installed build/vault-alone/.installed: FROM = build/core-venv
build/%-alone/.installed: FROM = build/$*-venv
$(ONE): build/%-alone/.installed: $(APART) tests/alone.py
	$(FROM)/bin/python -m tests.alone $(@D) $(filter %/$*,$(PACKAGES))
	@touch $@

$(STAMP) $(DOCS_STAMP): WANTED = $(PACKAGES)
$(BENCH_STAMP): WANTED = $(ALONE)
$(APART): WANTED = $(ALONE) $(filter plugins/$(patsubst build/%-venv/.installed,%,$@),$(PACKAGES))
$(BENCH_STAMP): constraints-bench.txt
$(DOCS_STAMP): constraints-docs.txt
$(STAMP) $(APART) $(BENCH_STAMP) $(DOCS_STAMP): constraints.txt pyproject.toml $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "aie needs Python 3.11 or newer, and '$(PYTHON)' is not: make PYTHON=python3.12 setup" >&2; exit 1; }
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --require-hashes $(addprefix -r ,$(filter constraints%,$^))
	$(@D)/bin/python -m pip install --quiet --no-deps --no-build-isolation $(addprefix -e ,$(WANTED))
	@touch $@
