# Everything from a fresh clone: `make reproduce` and `make test`. Every target may be run again: what is done is kept.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
export PATH := $(CURDIR)/bin:$(CURDIR)/node_modules/.bin:$(PATH)

# Seeds of `make reproduce`, and what `make pipeline` runs on: any folder with items, behaviors and impressions.
SEEDS ?= 1
SIZE ?= medium
SEED ?= 1
PRESET ?= sample
DATA ?= runs/sample/$(SIZE)
OUT ?= runs/pipeline

.PHONY: setup build reproduce smoke pipeline test check unit test-numeric test-slow coverage bench clean
.DEFAULT_GOAL := build

## set-up

node_modules/.package-lock.json: package.json package-lock.json
	@echo "setup: installing packages"
	npm ci --no-audit --no-fund
	@touch $@

setup: node_modules/.package-lock.json
	@setup-tensorflow

build: node_modules/.package-lock.json
	@tsc

## the stages

# Sample data, all stages, one click model for each row of the table; SEEDS=3 gives means over three.
seeds = $(shell seq $(SEEDS))
reproduce: setup build
	mim sample --size $(SIZE) --out $(DATA)
	@for seed in $(seeds); do $(MAKE) --no-print-directory pipeline SEED=$$seed OUT=runs/reproduce/seed-$$seed; done
	@mim compare $(seeds:%=runs/reproduce/seed-%) --out runs/reproduce

# The same on a sample that takes seconds, from nothing each time.
smoke: setup build
	@rm -rf runs/smoke
	mim sample --size tiny --out runs/smoke/data
	@$(MAKE) --no-print-directory pipeline PRESET=smoke DATA=runs/smoke/data OUT=runs/smoke
	@mim compare runs/smoke --out runs/smoke

trained = --data $(DATA) --seed $(SEED) --resume
pipeline:
	mim pretrain -c $(PRESET)/pretrain $(trained) --out $(OUT)/pretrain
	mim sft -c $(PRESET)/sft $(trained) --init $(OUT)/pretrain/checkpoint --out $(OUT)/sft
	mim embed -c $(PRESET)/embed --data $(DATA) --checkpoint $(OUT)/pretrain/checkpoint --out $(OUT)/embed-pretrain
	mim embed -c $(PRESET)/embed --data $(DATA) --checkpoint $(OUT)/sft/checkpoint --out $(OUT)/embed-sft
	mim ctr -c $(PRESET)/ctr $(trained) --model din --out $(OUT)/din
	mim ctr -c $(PRESET)/ctr $(trained) --model content --embeddings $(OUT)/embed-pretrain/embeddings --out $(OUT)/content
	mim ctr -c $(PRESET)/ctr $(trained) --model ciubm --embeddings $(OUT)/embed-pretrain/embeddings --out $(OUT)/ciubm-pretrain
	mim ctr -c $(PRESET)/ctr $(trained) --model ciubm --embeddings $(OUT)/embed-sft/embeddings --out $(OUT)/ciubm-sft

## checks

# Units last: their summary is the last thing to read.
test: setup build
	@$(MAKE) --no-print-directory -j2 --output-sync=target check smoke
	@$(MAKE) --no-print-directory unit

# Formatting and lint; who imports whom (.dependency-cruiser.mjs).
check:
	biome check .
	depcruise src

# Tests are listed from sources, so that a stale output does not run; skipped ones are printed with their reasons.
runner = node --test --test-concurrency=$(CONCURRENCY) --test-reporter=./dist/test/reporter.js --test-reporter-destination=stdout
outputs = sed 's|^|dist/|; s|ts$$|js|'
CONCURRENCY ?= 2

# One thread of TensorFlow each, because files run side by side; test-slow leaves it at the default.
unit:
	TF_NUM_INTRAOP_THREADS=1 $(runner) $$(find test -name '*.test.ts' -not -path 'test/slow/*' | sort | $(outputs))

# The tests of engine, ops, losses and models as on other processors: NUMERIC="sse41 avx2 best eigen wasm", or some of these.
NUMERIC ?= sse41 avx2 best eigen wasm
test-numeric: setup build
	@TF_NUM_INTRAOP_THREADS=1 CONCURRENCY=$(CONCURRENCY) node dist/test/numeric.js $(NUMERIC)

# Long campaigns. SLOW_SHARE=1/3 runs a third of the files; SLOW_SEED determines which.
SLOW_SHARE ?= 1
SLOW_SEED ?= 1
test-slow: setup build
	$(runner) $$(node dist/test/chosen.js $(SLOW_SHARE) $(SLOW_SEED) $$(find test/slow -name '*.test.ts' -not -path 'test/slow/kills/*' | sort) | $(outputs))

# Kills, exact crash points and failing writes; POINTS=all FAILURES=all: each call that changes the disk.
campaign: export KILLS := $(or $(KILLS),20)
campaign: export POINTS := $(or $(POINTS),12)
campaign: export FAILURES := $(or $(FAILURES),12)
campaign: export SEED := $(SEED)
campaign: setup build
	$(runner) dist/test/slow/kills/campaign.test.js

# Lines of src that `make unit` runs. Coverage needs Node 22 or later, and this Node its install script.
coverage: setup build
	npm_config_ignore_scripts=false npx --yes node@24 --test --test-concurrency=$(CONCURRENCY) --enable-source-maps --experimental-test-coverage \
	  --test-coverage-include='dist/src/**' --test-reporter=./dist/test/reporter.js --test-reporter-destination=stdout \
	  $$(find test -name '*.test.ts' -not -path 'test/slow/*' | sort | $(outputs))

# Against PyTorch where MIM_PEER_PYTHON names a Python that has it; BENCH="--threads 1" and more: test/bench/main.ts.
PAIRS ?= 5
bench: setup build
	node dist/test/bench/main.js --pairs $(PAIRS) $(BENCH)

clean:
	rm -rf dist runs
