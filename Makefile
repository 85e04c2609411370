# One line each, every line usable by hand. Start with `make demo` or `make test`.
SHELL    := /bin/bash
CACHE    := $(CURDIR)/.cache
TOOLS    := $(CACHE)/tools-$(shell cat tools/go.mod tools/go.sum | sha256sum | cut -c1-12)
GO       := go
PKG      := ./...
FUZZTIME := 30s
BENCH    := .
ROUNDS   := 200
SEEDS    := 10000

.DEFAULT_GOAL := build
.PHONY: build test gotest short race lint fmt fuzz bench crash soak clients ci run demo setup help

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

build: ## bin/thingwire, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/thingwire ./cmd/thingwire

test: setup lint gotest race clients ## everything: linters, all Go tests, the race detector, foreign clients

gotest: ## go vet and all Go tests with their fuzz seeds and allocation counts
	$(GO) vet $(PKG)
	$(GO) test -timeout 10m $(PKG)

short: ## the inner loop
	$(GO) test -short $(PKG)

race: ## the Go tests under the race detector
	$(GO) test -race -short -timeout 15m $(PKG)

lint: $(TOOLS) ## formatters, linters, a tidy go.mod
	$(GO) mod tidy -diff
	$(CACHE)/bin/golangci-lint run --allow-parallel-runners $(PKG)

fmt: $(TOOLS) ## rewrite all files as the formatters want them
	$(CACHE)/bin/golangci-lint fmt

fuzz: ## every fuzz target for FUZZTIME
	tools/fuzz $(FUZZTIME)

bench: ## all benchmarks; compare two runs with .cache/bin/benchstat
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(PKG)

crash: build ## kill -9 under load ROUNDS times, power cuts in SEEDS workloads: nothing acknowledged may be lost
	THINGWIRE_CRASH_ROUNDS=$(ROUNDS) clients/python/run -k crash
	THINGWIRE_CRASH_SEEDS=$(SEEDS) $(GO) test -count 1 -timeout 60m -run "TestCutAfterEveryOperation|TestCutInEveryCall|TestCrash$$" ./internal/broker ./internal/registry ./internal/store/pebble

soak: ## an hour of churn, compressed: memory, disk and goroutines stay bounded
	THINGWIRE_SOAK_ROUNDS=900 $(GO) test -count 1 -timeout 60m -v -run "TestSoak$$" ./internal/broker

clients: build ## the foreign clients against a real server
	clients/python/run
	clients/node/run
	clients/go/run
	clients/java/run
	clients/terraform/run

ci: ## what CI runs, nothing else
	bash .ci/run

run: build ## a server on the default ports with a throw-away data directory
	bin/thingwire serve --data-dir $(CACHE)/data

demo: build ## the main job in one command
	bin/thingwire demo

setup: ## what the tests need from the system
	tools/setup

# The linters are built from source once per change of their versions.
$(TOOLS): tools/go.mod tools/go.sum
	mkdir -p $(CACHE)/bin && rm -f $(CACHE)/tools-*
	cd tools && GOBIN=$(CACHE)/bin $(GO) install tool
	touch $@
