#!/usr/bin/env bash
# Builds the program that brings local clusters up, and prints its path. Others may run it meanwhile, so it is replaced
# and not written to.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=$PWD/build/cluster
mkdir -p build
hack/with-progress.sh "building hack/cluster" go -C hack build -o "$cluster.$$" ./cluster
mv -f "$cluster.$$" "$cluster"
echo "$cluster"
