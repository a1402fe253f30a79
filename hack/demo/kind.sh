#!/usr/bin/env bash
# The demonstration on kind, for machines with Docker: a cluster of two nodes beside the control plane, then the steps
# that every cluster shares.
set -euo pipefail

KIND=${KIND:-kind}
cluster=kube-imds
root=$(cd "$(dirname "$0")/../.." && pwd)

for tool in docker "$KIND"; do
	if ! command -v "$tool" >/dev/null; then
		echo "make kind-demo needs $tool, which is not on the PATH" >&2
		exit 1
	fi
done

mkdir -p "$root/build"
export KUBECONFIG=$root/build/kind.kubeconfig
if "$KIND" get clusters --quiet | grep --quiet --line-regexp "$cluster"; then
	"$KIND" export kubeconfig --name "$cluster" --kubeconfig "$KUBECONFIG"
else
	"$KIND" create cluster --name "$cluster" --config "$root/hack/demo/kind.yaml" --kubeconfig "$KUBECONFIG" --wait 3m
fi

LOAD_IMAGES="$KIND load image-archive --name $cluster" \
	PLATFORM=$(docker version --format '{{.Server.Os}}/{{.Server.Arch}}') \
	CLEAN_UP="$KIND delete cluster --name $cluster" \
	"$root/hack/demo/run.sh"
