package census

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// Bound returns the existing ServiceAccounts that a binding maps, whatever they ask for by annotation. They are sorted.
func Bound(ctx context.Context, cached client.Reader, binding *v1alpha1.IdentityBinding) ([]types.NamespacedName, error) {
	accounts, err := bound(ctx, cached, binding)
	if err != nil {
		return nil, err
	}
	names := namesOf(accounts)
	slices.SortFunc(names, compareNames)
	return names, nil
}

// everyAccount is the name by which a binding maps all ServiceAccounts of its namespace.
const everyAccount = "*"

func bound(ctx context.Context, cached client.Reader, binding *v1alpha1.IdentityBinding) ([]metav1.PartialObjectMetadata, error) {
	if !binding.DeletionTimestamp.IsZero() {
		return nil, nil
	}
	if grant.Maps(binding, everyAccount) {
		accounts := directory.MetadataList("ServiceAccountList")
		if err := cached.List(ctx, accounts, client.InNamespace(binding.Namespace), client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list the ServiceAccounts of namespace %s: %w", binding.Namespace, err)
		}
		return accounts.Items, nil
	}
	var accounts []metav1.PartialObjectMetadata
	for _, name := range binding.Spec.ServiceAccounts {
		account := directory.Metadata("ServiceAccount")
		key := types.NamespacedName{Namespace: binding.Namespace, Name: name}
		err := cached.Get(ctx, key, account, client.UnsafeDisableDeepCopy)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the ServiceAccount %s: %w", key, err)
		}
		accounts = append(accounts, *account)
	}
	return accounts, nil
}

// Mapping returns the bindings that map a ServiceAccount. They are shared and must not be changed.
func Mapping(ctx context.Context, cached client.Reader, account types.NamespacedName) ([]v1alpha1.IdentityBinding, error) {
	var all []v1alpha1.IdentityBinding
	for _, name := range []string{account.Name, everyAccount} {
		var list v1alpha1.IdentityBindingList
		err := cached.List(ctx, &list, client.InNamespace(account.Namespace), client.MatchingFields{accountIndex: name}, client.UnsafeDisableDeepCopy)
		if err != nil {
			return nil, fmt.Errorf("list the bindings of ServiceAccount %s: %w", account, err)
		}
		all = append(all, list.Items...)
	}
	return all, nil
}

// HasIdentities reports whether a ServiceAccount asks for identities or is bound to some. Annotations of azure-workload-identity
// count if workloadIdentity says so and an identity has the client ID.
func HasIdentities(ctx context.Context, cached client.Reader, account *metav1.PartialObjectMetadata, workloadIdentity bool) (bool, error) {
	if len(Asked(account)) > 0 {
		return true, nil
	}
	if workloadIdentity {
		names, err := clientid.Names(ctx, cached, account.Annotations[workloadidentity.ClientIDAnnotation])
		if err != nil || len(names) > 0 {
			return len(names) > 0, err
		}
	}
	bindings, err := Mapping(ctx, cached, keyOf(account))
	return slices.ContainsFunc(bindings, func(binding v1alpha1.IdentityBinding) bool { return binding.DeletionTimestamp.IsZero() }), err
}
