#!/usr/bin/env bash
# Runs the integration tests against a real kube-apiserver and etcd, built from pinned modules and cached. Needs no root.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=$(hack/build-cluster.sh)
KUBEBUILDER_ASSETS=$("$cluster" binaries kube-apiserver etcd kubectl)
HELM=$("$cluster" binaries helm)/helm
VAULT_TRANSIT=$("$cluster" binaries vault-transit)/vault-transit
AZURITE=$(hack/azurite.sh)
export KUBEBUILDER_ASSETS HELM VAULT_TRANSIT AZURITE
hack/with-progress.sh "integration tests" go test -count=1 -timeout 25m ./test/integration/... ./test/chart/... ./internal/storagegate
