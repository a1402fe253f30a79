#!/usr/bin/env bash
# Runs the published SDKs of every language in pods: brings a local cluster up, builds and loads the images, runs the
# clients, prints the table, takes the cluster down. With KUBE_IMDS_KEEP_CLUSTER set, the cluster stays.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
	echo "sdk-matrix: SKIPPED: a local cluster needs root, for network namespaces and cgroups. Run 'sudo make sdk-matrix'."
	exit 0
fi

arch=$(go env GOARCH)
go -C hack run ./sdks
go -C hack run ./images --platforms "linux/$arch" --parts controller,issuer,sidecar,probe

cluster="$PWD/build/cluster"
go -C hack build -o "$cluster" ./cluster
[ -n "${KUBE_IMDS_KEEP_CLUSTER:-}" ] || trap '"$cluster" down' EXIT
"$cluster" up
"$cluster" load build/images/{controller,issuer,sidecar,probe}-"$arch".tar build/images/sdk-*-"$arch".tar

KUBECONFIG=$("$cluster" kubeconfig)
HELM=$("$cluster" binaries helm)/helm
SDK_CLIENTS=$(cd build/images && for image in sdk-*-"$arch".tar; do image=${image#sdk-}; echo "${image%-"$arch".tar}"; done)
SDK_TABLE="$PWD/build/sdk-matrix.txt"
export KUBECONFIG HELM SDK_CLIENTS SDK_TABLE
go test -count=1 -timeout 30m -run 'TestSDKMatrix|TestEveryClient' ./test/e2e
cat "$SDK_TABLE"
