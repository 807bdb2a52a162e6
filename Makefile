.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

help:            ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/  —/'

$(VENV)/.installed: setup.cfg constraints.txt
	test -x $(BIN)/python || $$(command -v $(PYTHON) || command -v python3) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

setup: $(VENV)/.installed  ## make .venv with everything in it

demo: setup      ## an emulated utility, a head-end that reads it, a MultiSpeak server that answers (ARGS="--once" checks itself and ends)
	@$(BIN)/headend demo $(ARGS)

test: setup      ## all tests
	$(BIN)/pytest -q -n auto --dist worksteal $(ARGS)

lint: setup      ## types, style, import contracts
	$(BIN)/mypy
	$(BIN)/ruff check headend multispeak adapters emulators wsdl tests
	$(BIN)/lint-imports --config setup.cfg --no-logo

bench: setup     ## rates, CPU and memory, as numbers (a few minutes)
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: help setup demo test lint bench
