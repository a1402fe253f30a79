package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// part is a program with its own image.
type part struct {
	// name is the name of the program, the image and the binary.
	name string

	// dir is the program's folder, relative to the repository's root.
	dir string

	// title describes the image.
	title string

	// capabilities are the file capabilities of the binary.
	capabilities fileCapabilities
}

// released are the parts that the chart installs.
//
// The sidecar's binary is net-init too, which runs as a user other than root: the capability that its container is
// given reaches it only by way of the file. It is permitted and not effective, because the kernel refuses to start
// a file with effective capabilities where they are not to be had, as in the sidecar's own container.
var released = []part{
	{name: "controller", dir: "cmd/controller", title: "kube-imds controller and webhook"},
	{name: "signer", dir: "cmd/signer", title: "kube-imds signer"},
	{name: "oidc", dir: "cmd/oidc", title: "kube-imds OIDC server"},
	{name: "keyvault", dir: "cmd/keyvault", title: "kube-imds Key Vault"},
	{name: "storage-gate", dir: "cmd/storage-gate", title: "kube-imds storage gate"},
	{name: "azurite", dir: "images/azurite", title: "Azurite for the kube-imds storage gate"},
	{name: "gate", dir: "cmd/gate", title: "kube-imds gate before an API"},
	{name: "issuer", dir: "cmd/issuer", title: "kube-imds node issuer"},
	{name: "sidecar", dir: "cmd/sidecar", title: "kube-imds sidecar and net-init",
		capabilities: fileCapabilities{permitted: 1 << capNetAdmin}},
}

// findPart returns a part by name: one of the product, the sample NAME in config/samples/NAME/app, or the test program in
// test/apps/NAME or test/NAME.
func findPart(root, name string) (part, error) {
	for _, part := range released {
		if part.name == name {
			return part, nil
		}
	}
	for _, dir := range []string{
		filepath.Join("config", "samples", name, "app"),
		filepath.Join("test", "apps", name),
		filepath.Join("test", name),
	} {
		if info, err := os.Stat(filepath.Join(root, dir)); err == nil && info.IsDir() {
			return part{name: name, dir: dir, title: "kube-imds " + name}, nil
		}
	}
	return part{}, fmt.Errorf("no part %q: it is none of controller, signer, oidc, keyvault, storage-gate, azurite, gate, issuer and sidecar, and there is no "+
		"config/samples/%[1]s/app, no test/apps/%[1]s and no test/%[1]s", name)
}
