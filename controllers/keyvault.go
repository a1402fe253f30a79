package controllers

import (
	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/install"
)

// servingVaults gives every vault its host name.
var servingVaults = serving{
	services: map[string]string{install.VaultService: "vaults"},
	setURIs: func(resource azurehost.Resource, uri func(service string) string) {
		if vault, ok := resource.(*v1alpha1.KeyVault); ok {
			vault.Status.URI = uri(install.VaultService)
		}
	},
}
