#!/usr/bin/env bash
# Runs the static checks: in every module named, linters, formatting (.golangci.yml) and tidy modules; for the repository, that
# references have a target and generated files are up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

# With -n the go command builds the tool and prints its path in the build cache, which concurrent runs can share.
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
	echo "generated files were out of date: this check has regenerated them like 'make generate'; commit them" >&2
	git -C "$root" diff --stat -- "${generated[@]}" >&2
	exit 1
fi
