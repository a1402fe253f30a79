# kube-imds. `make` lists the targets.

# Binaries that are built from pinned modules are kept here, outside the checkout, by version.
export KUBE_IMDS_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kube-imds

CLUSTER := go -C hack run ./cluster
IMAGES  := go -C hack run ./images --platforms linux/$(shell go env GOARCH)
MODULES := . hack $(patsubst %/go.mod,%,$(wildcard test/apps/*/go.mod config/samples/*/go.mod config/samples/*/*/go.mod test/sdks/clients/*/go.mod))

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Run it

.PHONY: demo
demo: ## As root on Debian: a cluster, the chart and a sample that prints its token's claims.
	@hack/how-long.sh demo
	hack/demo/local.sh

.PHONY: kind-demo
kind-demo: ## The same with Docker and kind.
	hack/demo/kind.sh

.PHONY: cluster-up
cluster-up: ## As root: bring up a local two-node Kubernetes cluster.
	$(CLUSTER) up

.PHONY: cluster-down
cluster-down: ## Take the local cluster down, and leave nothing behind.
	$(CLUSTER) down

.PHONY: cluster-list
cluster-list: ## As root: list the local clusters, those of tests that were kept or killed too.
	$(CLUSTER) list

.PHONY: images
images: ## Build the images, for linux/amd64 and linux/arm64, into build/images.
	go -C hack run ./images

##@ Test it

.PHONY: test
test: tell-test check test-unit test-integration test-e2e sdk-matrix ## All tests, on clusters of their own; a demo may be up.

.PHONY: tell-test
tell-test:
	@hack/how-long.sh test

.PHONY: check
check: ## What needs no running: linters, generated files, modules, references.
	hack/check.sh $(MODULES)

.PHONY: test-unit
test-unit: ## Tests of packages by themselves.
	hack/with-progress.sh "unit tests" \
		go test -race $$(go list ./... | grep -v -e /test/e2e -e /test/integration -e /test/chart)
	hack/with-progress.sh "unit tests of hack" go -C hack test ./...

.PHONY: test-integration
test-integration: ## Tests against a real kube-apiserver and etcd.
	hack/integration.sh

.PHONY: test-e2e
test-e2e: ## As root: tests on a local cluster of their own. KUBE_IMDS_KEEP_CLUSTER=1 keeps it.
	hack/e2e.sh

.PHONY: sdk-matrix
sdk-matrix: ## As root on Debian: the published SDKs of every language in pods, in a table.
	hack/sdk-matrix.sh

.PHONY: bench
bench: ## Size and speed, as ratios to what is measured in the same run. Needs wrk.
	go run ./test/bench

.PHONY: vulnerabilities
vulnerabilities: ## Known vulnerabilities in what is linked, where their database can be reached.
	go -C hack/tools/dev tool govulncheck -C $(CURDIR) ./...

##@ Change it

.PHONY: build
build: ## Build the binaries into bin/.
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

.PHONY: generate
generate: ## Generate deepcopy functions and CRDs from api/.
	hack/generate.sh

.PHONY: clean
clean: ## Remove what was built here. The cache and the cluster stay.
	rm -rf bin build
