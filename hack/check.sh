#!/usr/bin/env bash
# Checks what needs no running, in every module named: linters and formatting (.golangci.yml) and tidy modules; and that generated
# files are current, and references lead somewhere.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

# With -n the Go command builds the tool, and names the file in its own cache, which others may use at the same time.
golangci_lint=$(hack/with-progress.sh "building golangci-lint" go -C hack/tools/lint tool -n golangci-lint)
for module in "$@"; do
	echo "check: module $module"
	hack/with-progress.sh "check: module $module" \
		sh -c 'cd "$1" && go mod tidy -diff && "$2" run --config "$3/.golangci.yml" --allow-parallel-runners ./...' sh "$module" "$golangci_lint" "$root"
done

echo "check: references"
hack/with-progress.sh "check: references" go -C hack run ./references

echo "check: generated files"
generated=(api charts)
before=$(cat $(git ls-files -co --exclude-standard "${generated[@]}") | sha256sum)
hack/with-progress.sh "check: generated files" hack/generate.sh
if [ "$before" != "$(cat $(git ls-files -co --exclude-standard "${generated[@]}") | sha256sum)" ]; then
	echo "what is generated was not current: 'make generate' has just brought it up to date; commit it" >&2
	git -C "$root" diff --stat -- "${generated[@]}" >&2
	exit 1
fi
