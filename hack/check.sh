#!/usr/bin/env bash
# Checks what needs no running, in every module named: formatting, vet, staticcheck, tidy modules; and that what is
# generated is current, and what is referred to is there.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

unformatted=$(git ls-files -z '*.go' | xargs -0 gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'not formatted; run gofmt -w on:\n%s\n' "$unformatted" >&2
	exit 1
fi

# With -n the Go command builds the tool, and names the file in its own cache, which others may use at the same time.
staticcheck=$(hack/with-progress.sh "building staticcheck" go -C hack/tools/dev tool -n staticcheck)
for module in "$@"; do
	echo "check: module $module"
	hack/with-progress.sh "check: module $module" \
		sh -c 'cd "$1" && go mod tidy -diff && go vet ./... && "$2" ./...' sh "$module" "$staticcheck"
done

echo "check: references"
hack/with-progress.sh "check: references" go -C hack run ./references

echo "check: generated files"
generated=(api config/crd charts)
before=$(cat $(git ls-files -co --exclude-standard "${generated[@]}") | sha256sum)
hack/with-progress.sh "check: generated files" hack/generate.sh
if [ "$before" != "$(cat $(git ls-files -co --exclude-standard "${generated[@]}") | sha256sum)" ]; then
	echo "what is generated was not current: 'make generate' has just brought it up to date; commit it" >&2
	git -C "$root" diff --stat -- "${generated[@]}" >&2
	exit 1
fi
