#!/usr/bin/env bash
# Builds hack/cluster, the program that runs local clusters, and prints its path. Other processes may be running it, so the
# script replaces the file and does not write into it.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=$PWD/build/cluster
mkdir -p build
hack/with-progress.sh "building hack/cluster" go -C hack build -o "$cluster.$$" ./cluster
mv -f "$cluster.$$" "$cluster"
echo "$cluster"
