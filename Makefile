# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Needs Python 3.10+ and make. Everything else is installed in the user's cache folder by tests/support/bootstrap.py.

# The first Python on PATH that runs and is new enough; a pyenv shim may exist and still not run.
PYTHON ?= $(shell for p in python3 /usr/bin/python3 python3.13 python3.12 python3.14 python3.11 python3.10; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1 && { echo "$$p"; exit; }; done; echo python3)
# One more than the number of cores in CI, because tests spend a sixth of their time waiting for servers, leases and timeouts.
WORKERS ?= 3
# Empty: all testpaths of pyproject.toml, the slow ones first.
TESTS ?=
PYTEST_ARGS ?=

in_env = @set -eu; venv="$$($(PYTHON) tests/support/bootstrap.py $(1))"; PATH="$$venv/bin:$$PATH"; export PATH;

# For programs that import the collection's source and the tests' folders.
on_path = PYTHONPATH="$$(PYTHONPATH=tests python -c 'from support.collection import source_path; print(source_path())'):tests"

# tests/support/prepare.py fetches everything that the tests need; after it, nothing may be downloaded.
offline = PIP_NO_INDEX=1 UV_OFFLINE=1 npm_config_offline=true GOPROXY=off GOTOOLCHAIN=local MAVEN_ARGS=--offline

# Keep compiled Python files in the cache folder: compiling them again would take a fifth of the time of `make fast`.
kept = exec env PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX="$${venv%/*}/compiled"

# The unit tests write thousands of small files. A folder in memory, where there is one, saves a tenth of the time of `make fast`.
in_memory = $(if $(wildcard /dev/shm/.),PYTEST_DEBUG_TEMPROOT=/dev/shm)

# Names of the lock files to write. Empty: all.
LOCKS ?=

.DEFAULT_GOAL := help
# All targets with a description below.
.PHONY: $(shell sed -n 's/^\([a-z]*\):.*[#][#] .*/\1/p' $(firstword $(MAKEFILE_LIST)))

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

demo:  ## See it work: four vendors, a real OpenBao, three ssh hosts
	$(call in_env,demo) exec python tests/demo/run.py

test:  ## Everything: unit, integration, molecule, lint, types, sanity
	$(call in_env,test) $(if $(TESTS),,python tests/support/prepare.py;) $(offline) python -m pytest -n $(WORKERS) $(PYTEST_ARGS) $(TESTS)

fast:  ## The pure core and the structure: no Ansible, network or processes; for each save
	$(call in_env,fast) $(kept) $(in_memory) python -m pytest -q --maxfail=25 -m "not system and not thorough" $(PYTEST_ARGS) $(or $(TESTS),tests/unit)

unit:  ## All unit tests, including those that start processes
	$(call in_env,test) python -m pytest $(PYTEST_ARGS) tests/unit

integration:  ## Real ansible-playbook against real servers
	$(call in_env,test) python tests/support/prepare.py; $(offline) python -m pytest -n $(WORKERS) $(PYTEST_ARGS) tests/integration

matrix:  ## Every supported ansible-core with every Python that it supports
	$(call in_env,test) TRACKOPS_MATRIX=all; export TRACKOPS_MATRIX; python tests/support/prepare.py ansible-core OpenBao; exec env $(offline) python -m pytest $(PYTEST_ARGS) tests/integration/test_versions.py

docs:  ## The documentation site, with warnings as errors: build/docs/index.html
	$(call in_env,docs) exec python tests/support/docs.py

options:  ## Write the definitions of the lookups' options from their documentation: after each change to it
	$(call in_env,test) cd tests; exec python -m support.option_definitions

lint:  ## ruff, mypy --strict, ansible-lint
	$(call in_env,test) python -m pytest $(PYTEST_ARGS) tests/quality/test_lint.py

format:  ## Format the Python files, and fix what ruff can
	$(call in_env,fast) ruff format .; exec ruff check --fix .

sanity:  ## ansible-test sanity with every Python, without an ignore file
	$(call in_env,test) TRACKOPS_MATRIX=all; export TRACKOPS_MATRIX; exec python -m pytest $(PYTEST_ARGS) tests/quality/test_sanity.py

bench:  ## What a cached token costs a play, compared with peers in the same run; writes the figures in docs/speed.md
	$(call in_env,test) exec python tests/bench/run.py --write $(BENCH_ARGS)

faults:  ## Named faults of everything around a token, injected and judged, with both Vaults
	$(call in_env,test) exec python tests/faults/run.py $(FAULTS_ARGS)

load:  ## Load on real servers: 5,000 hosts, 64 controllers, two-second tokens; writes the figures in docs/load.md. LOAD_ARGS=--small
	$(call in_env,test) exec python tests/load/run.py $(if $(LOAD_ARGS),$(LOAD_ARGS),--write)

leaks:  ## Planted secrets, and a search of every place where someone else could read them
	$(call in_env,test) exec python tests/leaks/run.py $(LEAKS_ARGS)

mutants:  ## Small changes to the core that no unit test notices: make mutants MUTANTS_ARGS='_flow/slot _cache'
	$(call in_env,mutants) exec python tests/mutation/run.py $(MUTANTS_ARGS)

readme:  ## Write the tested versions and the project's address everywhere; ADDRESS=https://... sets the address
	$(call in_env,fast) exec python tests/support/readme.py $(ADDRESS)

simulate:  ## A fleet on virtual time, many stories: make simulate SIMULATE_ARGS='--count 1000'
	$(call in_env,fast) $(on_path) exec python -m simulation.run $(SIMULATE_ARGS)

release:  ## Turn the fragments into the changelog, a tag and the file for Galaxy: make release VERSION=1.0.0
	$(call in_env,test) exec python tests/support/release.py $(VERSION)

scale:  ## What a large fleet costs, by simulation, into docs/scale.md: make scale SCALE_ARGS='--controllers 1000 --hosts 100000 --hours 24'
	$(call in_env,fast) $(on_path) exec python -m simulation.scale $(SCALE_ARGS)

lock:  ## Write the lock files: the newest versions within the ranges in tests/requirements/*.in
	$(call in_env,lock) exec python tests/support/lock.py $(LOCKS)

clean:  ## Remove what was built in the checkout (the cache folder stays: it is only a cache)
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .ansible build *.tar.gz
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
