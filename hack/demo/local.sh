#!/usr/bin/env bash
# The demonstration on a local cluster, for machines with nothing but Debian and Go: a cluster of two nodes, then the
# steps that every cluster shares.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

if [ "$(id -u)" != 0 ]; then
	echo "make demo needs root, for network namespaces and cgroups: run 'sudo make demo', or 'make kind-demo' with Docker" >&2
	exit 1
fi

cluster=$("$root/hack/build-cluster.sh")
"$cluster" up

binaries=$("$cluster" binaries helm kubectl)
KUBECONFIG=$("$cluster" kubeconfig)
export KUBECONFIG
LOAD_IMAGES="$cluster load" \
	HELM=$binaries/helm KUBECTL=$binaries/kubectl \
	CLEAN_UP="make cluster-down" \
	"$root/hack/demo/run.sh"
