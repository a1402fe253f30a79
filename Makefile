# kube-imds. `make` lists the targets.

# The cache of binaries built from pinned modules, by version. It is outside the checkout.
export KUBE_IMDS_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kube-imds

CLUSTER := go -C hack run ./cluster
# A module whose program is another project's has no Go files of this one.
MODULES := $(filter-out test/apps/external-secrets,. hack $(patsubst %/go.mod,%,$(wildcard test/apps/*/go.mod config/samples/*/go.mod config/samples/*/*/go.mod test/sdks/clients/*/go.mod)))

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Run it

.PHONY: demo
demo: ## As root on Debian: start a cluster, install the chart and run a sample that prints its token's claims, a secret and a blob.
	@hack/how-long.sh demo
	hack/demo/local.sh

.PHONY: kind-demo
kind-demo: ## Run the demo with Docker and kind instead.
	hack/demo/kind.sh

.PHONY: cluster-up
cluster-up: ## As root: start a local two-node Kubernetes cluster.
	$(CLUSTER) up

.PHONY: cluster-down
cluster-down: ## Stop the local cluster and remove everything it created.
	$(CLUSTER) down

.PHONY: cluster-list
cluster-list: ## As root: list the local clusters, including those of kept or killed tests.
	$(CLUSTER) list

.PHONY: images
images: ## Build the images for linux/amd64 and linux/arm64 into build/images.
	go -C hack run ./images

##@ Test it

.PHONY: test
test: tell-test check test-unit test-integration test-e2e sdk-matrix ## Run all tests, on separate clusters; the demo may be running.

.PHONY: tell-test
tell-test:
	@hack/how-long.sh test

.PHONY: check
check: ## Run the static checks: linters, generated files, modules, references.
	hack/check.sh $(MODULES)

.PHONY: test-unit
test-unit: ## Run the unit tests.
	hack/with-progress.sh "unit tests" \
		go test -race $$(go list ./... | grep -v -e /test/e2e -e /test/integration -e /test/chart)
	hack/with-progress.sh "unit tests of hack" go -C hack test ./...

.PHONY: test-integration
test-integration: ## Run the integration tests against a real kube-apiserver and etcd.
	hack/integration.sh

.PHONY: test-e2e
test-e2e: ## As root: run the end-to-end tests on a separate local cluster. KUBE_IMDS_KEEP_CLUSTER=1 keeps it.
	hack/e2e.sh

.PHONY: sdk-matrix
sdk-matrix: ## As root on Debian: run the published SDKs of every language in pods and print a table.
	hack/sdk-matrix.sh

.PHONY: test-eso
test-eso: ## As root: run the External Secrets Operator with a vault on a separate local cluster. Its first build takes long.
	hack/eso.sh

.PHONY: bench
bench: ## Measure the sidecar's size, and its speed relative to a bare HTTP handler. Needs wrk.
	go run ./test/bench

.PHONY: bench-entra
bench-entra: ## Print what applications see of outages of Entra ID, and 500 pods of a cold node; 20 minutes.
	hack/bench-entra.sh

.PHONY: bench-start
bench-start: ## As root: print how much later an application starts in a pod that has IMDS; 5 minutes.
	hack/bench-start.sh

.PHONY: scale
scale: ## Print what 10,000 identities and 50,000 ServiceAccounts cost controller and issuers, and what 100 nodes cost the API server; 30 minutes.
	hack/scale.sh

.PHONY: vulnerabilities
vulnerabilities: ## Report known vulnerabilities in linked code. Needs access to the vulnerability database.
	go -C hack/tools/dev tool govulncheck -C $(CURDIR) ./...

##@ Change it

.PHONY: build
build: ## Build the binaries into bin/.
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

.PHONY: generate
generate: ## Generate deepcopy functions and CRDs from api/.
	hack/generate.sh

.PHONY: clean
clean: ## Remove build output. The cache and the cluster stay.
	rm -rf bin build
