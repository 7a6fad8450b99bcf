# Everything from a fresh clone: `make reproduce` and `make test`. Every target may be run again.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: setup build test unit clean
.DEFAULT_GOAL := build

node_modules/.package-lock.json: package.json package-lock.json
	@echo "setup: installing packages"
	npm ci --no-audit --no-fund
	@touch $@

setup: node_modules/.package-lock.json
	@bin/setup-tensorflow

build: node_modules/.package-lock.json
	@tsc

test: setup build
	biome check .
	@$(MAKE) --no-print-directory unit

unit:
	node --test --test-reporter=spec $$(find dist/test -name '*.test.js' | sort)

clean:
	rm -rf dist runs
