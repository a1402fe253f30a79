package census

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// clientIDIndex is the name of the index of ServiceAccounts by the client ID in their annotation.
const clientIDIndex = "metadata.annotations.clientID"

// Index makes a cache able to find ServiceAccounts by client ID.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, directory.Metadata("ServiceAccount"), clientIDIndex, clientIDs); err != nil {
		return fmt.Errorf("index the ServiceAccounts by client ID: %w", err)
	}
	return nil
}

func clientIDs(account client.Object) []string {
	clientID := clientid.Canonical(account.GetAnnotations()[workloadidentity.ClientIDAnnotation])
	if clientID == "" {
		return nil
	}
	return []string{clientID}
}

// WithClientID returns the ServiceAccounts that ask for a client ID by their annotation. The reader is a cache with Index.
func WithClientID(ctx context.Context, reader client.Reader, clientID string) ([]types.NamespacedName, error) {
	list := directory.MetadataList("ServiceAccountList")
	if err := reader.List(ctx, list, client.MatchingFields{clientIDIndex: clientID}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the ServiceAccounts with the client ID %s: %w", clientID, err)
	}
	var accounts []types.NamespacedName
	for i := range list.Items {
		accounts = append(accounts, client.ObjectKeyFromObject(&list.Items[i]))
	}
	return accounts, nil
}
