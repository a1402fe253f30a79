#!/usr/bin/env bash
# Prints the tables of docs/entra.md: what applications see while a stand-in for Entra ID has troubles, and while 500 pods of a node ask for
# their first token at once. Needs no root.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=$(hack/build-cluster.sh)
KUBEBUILDER_ASSETS=$("$cluster" binaries kube-apiserver etcd kubectl)
HELM=$("$cluster" binaries helm)/helm
export KUBEBUILDER_ASSETS HELM
go test -count=1 -v -timeout 40m -run '^TestEntra(ColdNode|Outage)$' ./test/integration/issuer -entra-pods=500 -entra-outage=10m
