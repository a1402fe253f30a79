#!/usr/bin/env bash
# Runs the published SDKs of every language in pods of a separate local cluster: builds and loads the images, runs the clients,
# prints a table of their tokens by IMDS, one of what they do with a Key Vault, one of what they do with a storage account, and one of their
# tokens of Entra ID.
set -euo pipefail
cd "$(dirname "$0")/.."

arch=$(go env GOARCH)
if [ "${1:-}" != --on-cluster ]; then
	# Build the SDK clients before the cluster starts, because the first build takes long. It needs root too.
	[ "$(id -u)" != 0 ] || go -C hack run ./sdks
	exec hack/own-cluster.sh sdk-matrix hack/sdk-matrix.sh --on-cluster
fi

parts=(controller signer oidc keyvault storage-gate azurite issuer sidecar probe entra)
go -C hack run ./images --platforms "linux/$arch" --parts "$(IFS=,; echo "${parts[*]}")"
archives=("${parts[@]/%/-$arch.tar}")
# CLUSTER is a command with arguments, so it must be split.
# shellcheck disable=SC2086
$CLUSTER load "${archives[@]/#/build/images/}" build/images/sdk-*-"$arch".tar

SDK_CLIENTS=$(cd build/images && for image in sdk-*-"$arch".tar; do image=${image#sdk-}; echo "${image%-"$arch".tar}"; done)
SDK_TABLE=$PWD/build/sdk-matrix.txt
SDK_VAULT_TABLE=$PWD/build/sdk-keyvault.txt
SDK_STORAGE_TABLE=$PWD/build/sdk-storage.txt
SDK_ENTRA_TABLE=$PWD/build/sdk-entra.txt
export SDK_CLIENTS SDK_TABLE SDK_VAULT_TABLE SDK_STORAGE_TABLE SDK_ENTRA_TABLE
hack/with-progress.sh "SDKs in pods" go test -count=1 -timeout 30m -run 'TestSDK|TestEveryClient' ./test/e2e
cat "$SDK_TABLE"
echo
cat "$SDK_VAULT_TABLE"
echo
cat "$SDK_STORAGE_TABLE"
echo
cat "$SDK_ENTRA_TABLE"
