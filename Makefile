# sealcam: everything a person types. `make` alone prints this help.

SHELL      := /bin/bash
.SHELLFLAGS := -euo pipefail -c
GO         ?= go
BUILD      := build
VERSION    := $(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)
COMMIT     := $(shell git log -1 --format='-X main.commit=%H -X main.date=%cI' 2>/dev/null)
LDFLAGS    := -s -w -X main.version=$(VERSION) $(COMMIT)
GOBUILD    := $(GO) build -ldflags '$(LDFLAGS)'
STATICCHECK := $(GO) tool -modfile=.ci/tools.mod staticcheck
FUZZTIME   ?= 20s
SOURCE     ?=
export CGO_ENABLED := 0
# One set of flags for whatever is compiled, so that tests, tools and what is
# flashed share a build cache.
export GOFLAGS := -trimpath
# vet is run once, by lint.
GOTEST     := $(GO) test -vet=off

.PHONY: help build wasm bench test unit fleet year enemies poornet race arm cross release release-check package-test image lint fuzz fault-test vm-test footprint compare figures screenshots test-deps clean

help: ## this text
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

build: wasm ## sealcam and sealcamd for this machine, into build/
	@mkdir -p $(BUILD)
	$(GOBUILD) -tags embedwasm -o $(BUILD)/ ./cmd/sealcam ./cmd/sealcamd

wasm: ## the opener for browsers, embedded by build
	@$(GO) run ./cmd/internal/page/wasmbuild

bench: ## watch verified pictures: a camera here, or SOURCE=file.avi, else a drawn scene
	@mkdir -p $(BUILD)
	@$(GO) build -o $(BUILD)/sealcam-bench ./cmd/sealcam
	@$(BUILD)/sealcam-bench bench $(if $(SOURCE),--source $(SOURCE))

# Two stages at a time: those with guests, clusters and films wait more than they compute.
STAGES     := vm-test fault-test package-test lint unit race cross arm footprint fuzz
test: test-deps ## everything CI runs
	@$(MAKE) --no-print-directory -j2 TARGETS='$(TESTED_TARGETS)' ELSEWHERE='$(RACED)' $(STAGES)
	@test -z "$$(git status --porcelain)" || { git status --short; echo "make test: error: the tests changed the tree"; exit 1; }
	@echo "make test: all passed, the tree is clean"

# Where goroutines share memory; everything else of the libraries is one goroutine's own.
# Of RACED race runs every test, so make test leaves it out of unit.
RACED   := ./capture ./capture/stream ./uplink ./uplink/identity ./uplink/internal/recording ./uplink/mqtt ./uplink/ota \
	./cmd/internal/agent ./cmd/internal/broker ./cmd/internal/feed ./cmd/internal/viewer
SHARING := $(RACED) ./uplink/internal/spool ./cmd/internal/keeper/store
unit: ## all tests that need no guest, three packages at a time, for many wait; of the simulated year of dusks a part (make year runs all)
	$(GOTEST) -p 3 -timeout 30m $$($(GO) list ./... | grep -vE '/(simtest|trials)$$' | grep -vxF "$$($(GO) list $(or $(ELSEWHERE),./capture/daynight/simtest))")
	$(GOTEST) -timeout 15m -short ./capture/daynight/simtest

year: ## day and night over a simulated year, ours and the others', as a table
	$(GO) test -timeout 30m -run Table -v ./capture/daynight/simtest

FLEET      ?= 10000
fleet: ## FLEET=10000 cameras at once for five minutes, broker and networks failing, and what one costs (and of 100, 1000)
	@mkdir -p $(BUILD)
	@$(GO) build -o $(BUILD)/sealcam-fleet ./cmd/sealcam
	@$(BUILD)/sealcam-fleet fleet --cameras $(FLEET) --for 5m --growth --report $(BUILD)/fleet.json

enemies: ## rain, snow, wind, insects, ...: ten minutes of each at 5 to 30 frames a second, and no event
	$(GO) test -count=1 -timeout 120m -run Enemies -v ./capture/motion -long

poornet: ## 100 events over links of 256 kbit/s that lose 5 %: the picture before the clip, each time
	$(GO) test -count=1 -timeout 60m -v ./cmd/internal/poornet -runs 100 -links 20

race: ## the tests of what runs concurrently, under the race detector (needs gcc)
	@! grep -l 'testing.Short()' $(RACED:%=%/*_test.go) || { echo "make race: error: -short leaves something of these out: they belong in SHARING alone"; exit 1; }
	CGO_ENABLED=1 $(GOTEST) -race -timeout 15m -short $(SHARING)

# What takes minutes where a processor is emulated and is no matter of the
# processor: scrypt, large rosters, long films, large backlogs, slow links, vectors made anew (those
# published are opened), every bit, byte or call of something. unit runs it on this one.
SLOW_ON_ARM := Backup|Export|Recover|FullRoster|CreateHouseholdUnder|NothingWasDone|NewNormal|CoverHides|WideFrames|NeverChanges|NeverMakesDay|FarWalker|LightIsNoEvent|Zones|WhoWasThereFirst|StandingStill|^TestTable$$|Enemies|WhatIsLearned|LightsOut|DayAndNightApart|TakenForNight|NewestSnapshot|EverythingArrives|SlowCard|RecordFilm|ManyPowerCuts|RAUC|SWUpdate|FitsItsLink|FitTheirLink|TroubleIsSaidOnce|VectorsMade|AdditionRefused|NoByteIsFree|StateBound|EveryBitOfACode|^TestKeys$$|^TestLatest$$|FaultAtEveryCall|LanesAllocates|LanesOfDull
arm: ## the libraries' tests on 32-bit ARM (user-mode emulation)
	$(GO) run ./cmd/internal/typecheck linux/arm=./...
	GOARCH=arm GOARM=7 $(GOTEST) -short -skip '$(SLOW_ON_ARM)' -timeout 20m -exec qemu-arm-static $$($(GO) list ./capture/... ./encode/... ./boards/... ./uplink/... | grep -vE '/(simtest|scene)$$')

# What boards run. Tests build those whose compilation they need anyway; a
# release builds all.
TARGETS        ?= arm/6 arm/7 arm64/ riscv64/ amd64/
TESTED_TARGETS := arm/7 arm64/ amd64/
cross: wasm ## sealcamd for every board, the tools for every desk, stripped, into build/; fails if one is too large
	@mkdir -p $(BUILD)
	@for target in $(TARGETS); do \
	    arch=$${target%/*}; arm=$${target#*/}; \
	    GOOS=linux GOARCH=$$arch GOARM=$$arm $(GOBUILD) -o $(BUILD)/sealcamd-linux-$$arch$${arm:+v$$arm} ./cmd/sealcamd; \
	done
	@$(GO) run ./cmd/internal/typecheck $(foreach desk,windows/amd64 darwin/arm64,$(desk)=./uplink/seal,./uplink/identity,./cmd/sealcam)
	@$(GO) run ./cmd/internal/footprint -sizes $(BUILD)

# The Go that releases are made by is the one of go.mod.
RELEASE    = GOTOOLCHAIN=$$(sed -n 's/^toolchain //p' go.mod) $(GO) run ./cmd/internal/release

release: ## binaries, Debian packages, tarballs, checksums, bill of materials into build/release; SIGNING_KEY=FILE signs, NUMBER=N is its number among updates, ROOT=root.json bakes in whose updates count
	@$(RELEASE) $(if $(NUMBER),-number $(NUMBER)) $(if $(ROOT),-root $(ROOT))

package-test: ## dpkg -i in a fresh Debian under its own systemd: runs, upgrades, is removed (needs root; the first time it fetches Debian)
	$(GOTEST) -tags debian -count=1 -timeout 20m -run TestPackage -v ./cmd/internal/release

release-check: ## make the release twice, in two folders and from nothing, and compare every byte
	@$(RELEASE) check

SIZE       ?= 512
OUT        ?= $(BUILD)/image
image: ## a card to boot from, into build/image: BOARD=qemu-virt, raspberrypi-3, raspberrypi-4, ...; SIZE= MiB for data, PUT="files" for its settings
	@mkdir -p $(OUT)
	@GOOS=linux GOARCH=arm64 $(GOBUILD) -o $(OUT)/sealcamd ./cmd/sealcamd
	@$(GO) run ./cmd/internal/image/make -board "$(BOARD)" -sealcamd $(OUT)/sealcamd -version $(VERSION) -size $(SIZE) -out $(OUT) $(addprefix -put ,$(PUT))

lint: ## gofmt, vet, staticcheck
	@test -z "$$(gofmt -l cmd capture encode uplink boards)" || { gofmt -l cmd capture encode uplink boards; echo "make lint: error: run gofmt -w on these"; exit 1; }
	$(GO) vet -tags vm,debian ./...
	GOGC=400 $(STATICCHECK) -tags vm,debian ./...

fuzz: ## every fuzz target for FUZZTIME each (20s), 32 at a time; JOBS=2 gives each more of the machine
	@.ci/fuzz $(FUZZTIME) $(JOBS)

fault-test: ## networks, brokers, disks and clocks that fail, and kill -9 (needs root): what was sealed, verified, lost; LONG=1 for the long form
	$(GOTEST) -count=1 -timeout 60m -parallel 16 -v ./cmd/internal/faults/trials $(if $(LONG),-long) | { grep -vE '^ *(=== |--- PASS)' || true; }

vm-test: ## the agent on Debian's ARM kernels with real V4L2 and GPIO, emulated
	$(GO) run ./cmd/internal/lab/prepare
	$(GOTEST) -tags vm -count=1 -timeout 40m -parallel 3 -v ./cmd/internal/lab/...

footprint: ## resident memory of sealcamd at 1080p
	$(GO) run ./cmd/internal/footprint

compare: ## against libjpeg-turbo, image/jpeg and Debian's motion, as ratios; FILMS=a.avi b.avi for labelled ones
	@.ci/test-deps motion libjpeg-turbo-progs libjpeg62-turbo-dev gcc
	$(GO) run ./cmd/internal/compare $(FILMS)

figures: ## the benchmarks behind the figures, as ratios in one run
	$(GO) test -run '^$$' -bench . -benchmem ./capture/... ./encode/... ./uplink/...

screenshots: ## every state of the page in Chromium, as PNG, into build/screenshots
	SEALCAM_SHOTS=all $(GO) test -count=1 -run TestBrowser -v ./cmd/internal/page

test-deps: ## install what the tests need beside Go: Debian packages (as root), node modules
	@.ci/test-deps

clean: ## remove build/
	rm -rf $(BUILD)
