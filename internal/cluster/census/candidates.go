package census

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
)

// candidates returns the ServiceAccounts that ask for an identity or are bound to it, each once.
func candidates(
	ctx context.Context, cached client.Reader, identity *v1alpha1.ManagedIdentity, workloadIdentity bool,
) ([]metav1.PartialObjectMetadata, error) {
	found, err := asking(ctx, cached, askedIndex, identity.Name)
	if err != nil {
		return nil, err
	}
	if clientID := identity.Spec.ClientID; workloadIdentity && clientID != "" {
		more, err := asking(ctx, cached, clientIDIndex, string(clientID))
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	bindings, err := Naming(ctx, cached, identity.Name)
	if err != nil {
		return nil, err
	}
	for i := range bindings {
		more, err := bound(ctx, cached, &bindings[i])
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	slices.SortFunc(found, func(a, b metav1.PartialObjectMetadata) int { return compareNames(keyOf(&a), keyOf(&b)) })
	return slices.CompactFunc(found, func(a, b metav1.PartialObjectMetadata) bool { return keyOf(&a) == keyOf(&b) }), nil
}

// Naming returns the bindings that name an identity. They are shared and must not be changed.
func Naming(ctx context.Context, cached client.Reader, identity string) ([]v1alpha1.IdentityBinding, error) {
	var list v1alpha1.IdentityBindingList
	if err := cached.List(ctx, &list, client.MatchingFields{identityIndex: identity}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the bindings of ManagedIdentity %s: %w", identity, err)
	}
	return list.Items, nil
}

// WithClientID returns the ServiceAccounts that ask for a client ID by their annotation.
func WithClientID(ctx context.Context, cached client.Reader, clientID string) ([]types.NamespacedName, error) {
	found, err := asking(ctx, cached, clientIDIndex, clientID)
	return namesOf(found), err
}

// asking returns the ServiceAccounts with a value in an index.
func asking(ctx context.Context, cached client.Reader, index, value string) ([]metav1.PartialObjectMetadata, error) {
	list := directory.MetadataList("ServiceAccountList")
	if err := cached.List(ctx, list, client.MatchingFields{index: value}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the ServiceAccounts that ask for %s: %w", value, err)
	}
	return list.Items, nil
}

func namesOf(accounts []metav1.PartialObjectMetadata) []types.NamespacedName {
	var names []types.NamespacedName
	for i := range accounts {
		names = append(names, keyOf(&accounts[i]))
	}
	return names
}

func keyOf(account *metav1.PartialObjectMetadata) types.NamespacedName {
	return types.NamespacedName{Namespace: account.Namespace, Name: account.Name}
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
