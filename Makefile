# vmdrift: what a person types. Every target works as root and as a normal user.
# Those that need tools of the distribution install them where they may (as root,
# by apt) and otherwise say in one sentence what is missing.

GO      ?= $(shell command -v go || echo /usr/local/go/bin/go)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

.PHONY: help build demo test check bench schemas packages screenshots

help: ## What there is to do
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

build: ## Build bin/vmdrift
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/vmdrift ./cmd/vmdrift

demo: ## See it work: a small simulated fleet drifts, and vmdrift finds it
	@scripts/need.sh demo
	@$(MAKE) --no-print-directory build
	@bin/vmdrift demo --once

test: ## Run all tests
	@scripts/need.sh test
	@GO="$(GO)" scripts/test.sh

check: ## What CI runs, and the linters
	@scripts/need.sh test
	@scripts/lint.sh
	@GO="$(GO)" scripts/test.sh

bench: ## Run the benchmarks whose figures the README quotes
	@scripts/need.sh bench
	@GO="$(GO)" scripts/bench.sh

schemas: build ## Write the JSON Schemas into docs/schemas
	@mkdir -p docs/schemas
	@for s in $$(bin/vmdrift schema --list); do bin/vmdrift schema $$s >docs/schemas/$$s.schema.json; done

screenshots: ## Write pictures of every page of the dashboard into .cache/screenshots
	@scripts/need.sh test
	@mkdir -p .cache/screenshots
	VMDRIFT_SCREENSHOTS=$(CURDIR)/.cache/screenshots $(GO) test -count=1 -run Browser ./web

ARCH ?= $(shell $(GO) env GOARCH)

packages: ## Build dist/*.deb and dist/*.rpm
	CGO_ENABLED=0 GOARCH=$(ARCH) $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/package/vmdrift ./cmd/vmdrift
	@mkdir -p dist
	@for p in deb rpm; do \
		ARCH=$(ARCH) VERSION=$$(echo $(VERSION) | sed 's/^v//; s/^[^0-9]/0.&/; s/-/+/g') \
			$(GO) run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2 package -f deploy/nfpm.yaml -p $$p -t dist/ || exit 1; done
