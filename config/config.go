// Package config holds the definitions of kube-imds's kinds, which are generated from api/.
package config

import "embed"

// Definitions are in the folder crd, one a file.
//
//go:embed crd/*.yaml
var Definitions embed.FS
