#!/usr/bin/env bash
# Runs the end-to-end tests: brings a local cluster up, loads the images, runs the suite, takes the cluster down.
# With KUBE_IMDS_KEEP_CLUSTER set, the cluster stays.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
	echo "test-e2e: SKIPPED: a local cluster needs root, for network namespaces and cgroups. Run 'sudo make test-e2e'," \
		"or set KUBECONFIG to a kind cluster with the images loaded and run 'go test ./test/e2e'."
	exit 0
fi

cluster="$PWD/build/cluster"
go -C hack build -o "$cluster" ./cluster
[ -n "${KUBE_IMDS_KEEP_CLUSTER:-}" ] || trap '"$cluster" down' EXIT
"$cluster" up

go -C hack run ./images --platforms "linux/$(go env GOARCH)" --parts controller,issuer,sidecar,demo,probe,web,conformance
"$cluster" load build/images/{controller,issuer,sidecar,demo,probe,web,conformance}-"$(go env GOARCH)".tar

KUBECONFIG=$("$cluster" kubeconfig)
HELM=$("$cluster" binaries helm)/helm
E2E_STOP_APISERVER="$cluster stop kube-apiserver"
E2E_START_APISERVER="$cluster start kube-apiserver"
export KUBECONFIG HELM E2E_STOP_APISERVER E2E_START_APISERVER
go test -count=1 -timeout 20m -v -run TestEndToEnd ./test/e2e
