package census

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// The indexes: of ServiceAccounts by the identities and the client ID that their annotations ask for, and of bindings by what they bind.
const (
	askedIndex    = "metadata.annotations.identity"
	clientIDIndex = "metadata.annotations.clientID"
	identityIndex = "spec.identities"
	accountIndex  = "spec.serviceAccounts"
)

// Index makes a cache able to find ServiceAccounts and bindings by what they name.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		kind   client.Object
		name   string
		values client.IndexerFunc
	}{
		{directory.Metadata("ServiceAccount"), askedIndex, Asked},
		{directory.Metadata("ServiceAccount"), clientIDIndex, clientIDs},
		{&v1alpha1.IdentityBinding{}, identityIndex, identitiesOf},
		{&v1alpha1.IdentityBinding{}, accountIndex, accountsOf},
	} {
		if err := indexer.IndexField(ctx, index.kind, index.name, index.values); err != nil {
			return fmt.Errorf("index %T by %s: %w", index.kind, index.name, err)
		}
	}
	return nil
}

// Asked returns the names of the identities that a ServiceAccount's annotation asks for.
func Asked(account client.Object) []string {
	return grant.ParseNames(account.GetAnnotations()[v1alpha1.IdentityAnnotation])
}

func clientIDs(account client.Object) []string {
	clientID := clientid.Canonical(account.GetAnnotations()[workloadidentity.ClientIDAnnotation])
	if clientID == "" {
		return nil
	}
	return []string{clientID}
}

func identitiesOf(object client.Object) []string {
	binding, ok := object.(*v1alpha1.IdentityBinding)
	if !ok {
		return nil
	}
	return binding.Spec.Identities
}

func accountsOf(object client.Object) []string {
	binding, ok := object.(*v1alpha1.IdentityBinding)
	if !ok {
		return nil
	}
	return binding.Spec.ServiceAccounts
}
