#!/usr/bin/env bash
# Generates deepcopy functions and CRDs from api/, and the chart's copies of the CRDs.
set -euo pipefail
cd "$(dirname "$0")/.."
controller_gen() { go -C hack/tools/dev tool controller-gen "$@"; }
controller_gen object:headerFile="$PWD/hack/boilerplate.go.txt" paths="$PWD/api/..." \
	crd output:crd:dir="$PWD/api/v1alpha1/crd"
cp api/v1alpha1/crd/*.yaml charts/kube-imds/files/crds/
