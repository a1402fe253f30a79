#!/usr/bin/env bash
# Runs the end-to-end tests on a separate local cluster: builds and loads the images, then runs the suite.
#
# Without root, set KUBECONFIG to a kind cluster with the images loaded and run 'go test ./test/e2e'.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" != --on-cluster ]; then
	exec hack/own-cluster.sh test-e2e hack/e2e.sh --on-cluster
fi

arch=$(go env GOARCH)
parts=(controller signer oidc keyvault storage-gate azurite issuer sidecar demo probe web conformance entra)
go -C hack run ./images --platforms "linux/$arch" --parts "$(IFS=,; echo "${parts[*]}")"
# CLUSTER is a command with arguments, so it must be split.
# shellcheck disable=SC2086
for part in "${parts[@]}"; do
	$CLUSTER load "build/images/$part-$arch.tar"
done

E2E_STOP_APISERVER="$CLUSTER stop kube-apiserver"
E2E_START_APISERVER="$CLUSTER start kube-apiserver"
export E2E_STOP_APISERVER E2E_START_APISERVER
hack/with-progress.sh "end-to-end tests" go test -count=1 -timeout 20m -v -run TestEndToEnd ./test/e2e
