package controllers

import (
	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
)

// servingAccounts gives every storage account its host names, one for each service.
var servingAccounts = serving{
	services: map[string]string{"blob": "storage-blob", "queue": "storage-queue", "table": "storage-table"},
	setURIs: func(resource azurehost.Resource, uri func(service string) string) {
		if account, ok := resource.(*v1alpha1.StorageAccount); ok {
			account.Status.Blob, account.Status.Queue, account.Status.Table = uri("blob"), uri("queue"), uri("table")
		}
	},
}
