#!/usr/bin/env bash
# Prints what large clusters cost, on a real kube-apiserver and etcd: the tables of docs/scale.md. Needs no root. --help tells what there is.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=$(hack/build-cluster.sh)
KUBEBUILDER_ASSETS=$("$cluster" binaries kube-apiserver etcd)
HELM=$("$cluster" binaries helm)/helm
export KUBEBUILDER_ASSETS HELM
go run ./test/scale "$@"
