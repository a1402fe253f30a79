#!/usr/bin/env bash
# Prints how much later an application starts in a pod that has IMDS, on a separate local cluster: the table of docs/scale.md.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" != --on-cluster ]; then
	exec hack/own-cluster.sh bench-start hack/bench-start.sh --on-cluster
fi

arch=$(go env GOARCH)
parts=(controller signer oidc issuer sidecar probe)
go -C hack run ./images --platforms "linux/$arch" --parts "$(IFS=,; echo "${parts[*]}")"
# CLUSTER is a command with arguments, so it must be split.
# shellcheck disable=SC2086
for part in "${parts[@]}"; do
	$CLUSTER load "build/images/$part-$arch.tar"
done
go test -count=1 -timeout 20m -v -run TestPodStart ./test/e2e -pod-starts=20
