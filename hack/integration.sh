#!/usr/bin/env bash
# Runs the integration tests against a real kube-apiserver and etcd, built from pinned modules and cached. No root.
set -euo pipefail
cd "$(dirname "$0")/.."
KUBEBUILDER_ASSETS=$(go -C hack run ./cluster binaries kube-apiserver etcd kubectl)
HELM=$(go -C hack run ./cluster binaries helm)/helm
export KUBEBUILDER_ASSETS HELM
go test -count=1 -timeout 15m ./test/integration/... ./test/chart/...
