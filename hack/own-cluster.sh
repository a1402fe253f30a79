#!/usr/bin/env bash
# Runs a command with a separate local cluster: own-cluster.sh TARGET COMMAND... TARGET is a target of the Makefile. The cluster's
# name depends on the target and the checkout, so other clusters are not affected. The command gets KUBECONFIG, HELM and CLUSTER
# in its environment; see cluster run --help. With KUBE_IMDS_KEEP_CLUSTER set, the cluster stays.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1
shift

if [ "$(id -u)" != 0 ]; then
	echo "$target: SKIPPED: a local cluster needs root, for network namespaces and cgroups. Run 'sudo make $target'."
	exit 0
fi

cluster=$(hack/build-cluster.sh)
HELM=$("$cluster" binaries helm)/helm
export HELM
exec "$cluster" run --for "$target" ${KUBE_IMDS_KEEP_CLUSTER:+--keep} -- "$@"
