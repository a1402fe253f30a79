// Package crd holds the definitions of kube-imds's kinds, which are generated from api/.
package crd

import "embed"

// Files are the definitions, one a file.
//
//go:embed *.yaml
var Files embed.FS
