#!/usr/bin/env bash
# Prints how the controller's cost grows with a cluster, on a real kube-apiserver and etcd: the tables of docs/scale.md. Needs no root.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=$(hack/build-cluster.sh)
KUBEBUILDER_ASSETS=$("$cluster" binaries kube-apiserver etcd)
export KUBEBUILDER_ASSETS
go run ./test/scale "$@"
