// Package clientid finds identities by the client ID of their spec.
package clientid

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Field selects identities at the API server, as the CRD declares it, and in caches with Index.
const Field = "spec.clientID"

// Index makes a cache able to find identities.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &v1alpha1.ManagedIdentity{}, Field, Values); err != nil {
		return fmt.Errorf("index the identities by client ID: %w", err)
	}
	return nil
}

// Values returns the value of Field.
func Values(object client.Object) []string {
	identity, ok := object.(*v1alpha1.ManagedIdentity)
	if !ok || identity.Spec.ClientID == "" {
		return nil
	}
	return []string{string(identity.Spec.ClientID)}
}

// Canonical returns a client ID as manifests write it in the form of specs; "" for a text that is none.
func Canonical(text string) string {
	text = strings.TrimSpace(text)
	if uuid.Validate(text) != nil {
		return ""
	}
	return strings.ToLower(text)
}

// Find returns the identity with a client ID as manifests write it, or nil if there is none. Of several it is the oldest: the
// others are not ready.
func Find(ctx context.Context, reader client.Reader, clientID string) (*v1alpha1.ManagedIdentity, error) {
	found, err := all(ctx, reader, clientID)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// Names returns the names of the identities with a client ID; none for a text that is no client ID.
func Names(ctx context.Context, reader client.Reader, clientID string) ([]string, error) {
	found, err := all(ctx, reader, clientID)
	var names []string
	for _, identity := range found {
		names = append(names, identity.Name)
	}
	return names, err
}

// all returns the identities with a client ID, the oldest first.
func all(ctx context.Context, reader client.Reader, clientID string) ([]v1alpha1.ManagedIdentity, error) {
	clientID = Canonical(clientID)
	if clientID == "" {
		return nil, nil
	}
	var list v1alpha1.ManagedIdentityList
	if err := reader.List(ctx, &list, client.MatchingFields{Field: clientID}); err != nil {
		return nil, fmt.Errorf("find the ManagedIdentity with the client ID %s: %w", clientID, err)
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.ManagedIdentity) int {
		if a.IsOlderThan(&b) {
			return -1
		}
		return 1
	})
	return list.Items, nil
}
