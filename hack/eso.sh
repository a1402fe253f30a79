#!/usr/bin/env bash
# Runs the External Secrets Operator with a vault on a separate local cluster: builds the operator as it is published, with all its providers, and
# loads it with the images, then runs its test. `make test` leaves it out, because its first build takes long, and one package 2 GiB of memory.
set -euo pipefail
cd "$(dirname "$0")/.."

arch=$(go env GOARCH)
if [ "${1:-}" != --on-cluster ]; then
	# Build the operator before the cluster starts, because the first build takes long.
	go -C hack run ./images --platforms "linux/$arch" --parts external-secrets
	exec hack/own-cluster.sh test-eso hack/eso.sh --on-cluster
fi

parts=(controller signer oidc keyvault issuer sidecar probe)
go -C hack run ./images --platforms "linux/$arch" --parts "$(IFS=,; echo "${parts[*]}")"
# CLUSTER is a command with arguments, so it must be split.
# shellcheck disable=SC2086
for part in "${parts[@]}" external-secrets; do
	$CLUSTER load "build/images/$part-$arch.tar"
done

hack/with-progress.sh "External Secrets Operator" \
	env E2E_EXTERNAL_SECRETS=1 go test -count=1 -timeout 15m -v -run TestExternalSecretsOperator ./test/e2e
