package controllers

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/census"
	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
	"github.com/kube-imds/kube-imds/internal/identifier"
)

// Index makes a cache able to find what a change concerns, for the reconcilers of identities, bindings and ServiceAccounts. The defaults are
// those of the ManagedIdentityReconciler.
func Index(ctx context.Context, indexer client.FieldIndexer, defaults identifier.Defaults) error {
	err := errors.Join(clientid.Index(ctx, indexer), census.Index(ctx, indexer))
	for name, values := range map[string]client.IndexerFunc{idIndex: conflicts{defaults: defaults}.keys, labelIndex: selectedLabels} {
		if failed := indexer.IndexField(ctx, &v1alpha1.ManagedIdentity{}, name, values); failed != nil {
			err = errors.Join(err, fmt.Errorf("index the identities by %s: %w", name, failed))
		}
	}
	return err
}
