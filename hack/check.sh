#!/usr/bin/env bash
# Checks what needs no running, in every module named: formatting, vet, staticcheck, tidy modules; and that what is
# generated is current.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

unformatted=$(git ls-files -z '*.go' | xargs -0 gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'not formatted; run gofmt -w on:\n%s\n' "$unformatted" >&2
	exit 1
fi

staticcheck="$KUBE_IMDS_CACHE/staticcheck"
go -C hack/tools/dev build -o "$staticcheck" honnef.co/go/tools/cmd/staticcheck
for module in "$@"; do
	echo "check: module $module"
	(cd "$module" && go mod tidy -diff && go vet ./... && "$staticcheck" ./...)
done

echo "check: generated files"
generated=(api config/crd charts)
before=$(cat $(git ls-files -co --exclude-standard "${generated[@]}") | sha256sum)
hack/generate.sh
if [ "$before" != "$(cat $(git ls-files -co --exclude-standard "${generated[@]}") | sha256sum)" ]; then
	echo "what is generated was not current: 'make generate' has just brought it up to date; commit it" >&2
	git -C "$root" diff --stat -- "${generated[@]}" >&2
	exit 1
fi
