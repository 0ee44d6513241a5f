# Thin: what is done is in Python below hepto/, image/ and tests/. `make` alone explains itself.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BUILD := build
VENV := $(BUILD)/venv
BIN := $(VENV)/bin
HEPTO := $(BIN)/hepto
PYTHON ?= python3
IMAGE := $(BUILD)/image
NODES ?= 1

# gcc and the headers are for python-prctl, which has no wheel; ssh-keygen signs operators' orders; mount, ip, nft and
# e2fsck are used by the other tiers.
PACKAGES := ca-certificates cpio e2fsprogs gcc iproute2 libc6-dev libcap-dev mount nftables openssh-client python3-dev \
    python3-venv

.PHONY: help
help:  ## this list
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: system
system:  ## install the system packages that are missing (as root; else say which)
	@missing=; for package in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" -ne 0 ]; then \
	    echo "These system packages are missing:$$missing" >&2; \
	    echo "Run: sudo apt-get update && sudo apt-get install --no-install-recommends$$missing" >&2; exit 1; fi; \
	{ apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $$missing; } || { \
	    echo "apt could not install:$$missing" >&2; \
	    echo "Check this machine's network and its apt sources, then run make again." >&2; exit 3; }

$(VENV)/.complete: pyproject.toml | system
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is older than Python 3.11." >&2; \
	    echo "Use Debian 12 or newer, or name another interpreter: make PYTHON=…" >&2; exit 1; }
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' || { \
	    echo "pip could not install what pyproject.toml names." >&2; \
	    echo "Check this machine's network and its package index, then run make again." >&2; exit 3; }
	@touch $@

.PHONY: setup
setup: $(VENV)/.complete  ## system packages and the virtual environment in build/venv

.PHONY: image
image: setup  ## build the image into build/image
	$(HEPTO) build --output $(IMAGE)

.PHONY: run
run: image  ## set up, build, boot NODES=1 nodes and run pods on them
	$(HEPTO) lab up --image $(IMAGE) --nodes $(NODES)
	$(HEPTO) lab demo

.PHONY: check
check: setup  ## every linter (each is a test as well)
	$(BIN)/pytest -q tests/test_linters.py tests/test_architecture.py

# One line a tier at the end: a tier is a marker of pytest (pyproject.toml).
.PHONY: test
test: setup  ## all tests: unit, kernel, interop, image, VM (builds the image first)
	@$(BIN)/python -m tests.tiers unit kernel interop image vm

.PHONY: test-unit
test-unit: setup  ## no root, no network, about a minute
	@$(BIN)/python -m tests.tiers unit

.PHONY: test-kernel
test-kernel: setup  ## real mounts, namespaces and processes
	@$(BIN)/python -m tests.tiers kernel

.PHONY: test-interop
test-interop: setup  ## our gossip in one cluster with Debian's serf (fetched into the cache)
	@$(BIN)/python -m tests.tiers interop

.PHONY: test-vm
test-vm: setup  ## boots the image
	@$(BIN)/python -m tests.tiers image vm

.PHONY: test-long
test-long: setup  ## what takes minutes: long variants of all tiers
	@$(BIN)/python -m tests.tiers long

.PHONY: fuzz
fuzz: setup  ## a million changed packets and streams (FLAGS="--count 5000000 --seed 7"; FLAGS=--help tells more)
	@$(BIN)/python -m tests.fuzz $(FLAGS)

.PHONY: bench
bench: image  ## every measurement (hours), then docs/benchmarks.md (FLAGS=--page: only the page)
	@$(BIN)/python -m bench $(FLAGS)

bench-%: setup  ## one measurement, named as its file in bench/ (FLAGS=--help tells more)
	@$(BIN)/python -m bench.$* $(FLAGS)

.PHONY: clean
clean:  ## remove build/ (the caches stay)
	rm -rf $(BUILD)
