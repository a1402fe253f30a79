#!/usr/bin/env bash
# Installs what images/azurite has into the cache, once for each version of it, and prints its folder. Prints nothing without npm.
set -euo pipefail
cd "$(dirname "$0")/../images/azurite/app"
command -v npm > /dev/null || exit 0
version=$(cat -- * | sha256sum | cut -c1-16)
folder=${KUBE_IMDS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kube-imds}/azurite-$version
if [ ! -e "$folder" ]; then
	mkdir -p "${folder%/*}"
	next=$(mktemp -d "$folder.XXXXXX")
	cp -- * "$next/"
	npm ci --prefix "$next" --omit=dev --omit=peer --ignore-scripts --engine-strict=false --no-audit --no-fund --no-update-notifier \
		--loglevel=error >&2
	mv --no-target-directory "$next" "$folder" 2> /dev/null || rm -r "$next"
fi
echo "$folder"
