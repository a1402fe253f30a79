// Package crd holds the custom resource definitions that are generated from package v1alpha1.
package crd

import "embed"

// Files are the definitions, one a file.
//
//go:embed *.yaml
var Files embed.FS
