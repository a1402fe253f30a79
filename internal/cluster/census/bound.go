package census

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// Bound returns the existing ServiceAccounts that a binding maps, whatever they ask for by annotation.
func Bound(ctx context.Context, reader client.Reader, binding *v1alpha1.IdentityBinding) ([]types.NamespacedName, error) {
	accounts := directory.MetadataList("ServiceAccountList")
	if err := reader.List(ctx, accounts, client.InNamespace(binding.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the ServiceAccounts of namespace %s: %w", binding.Namespace, err)
	}
	var bound []types.NamespacedName
	for i := range accounts.Items {
		if account := &accounts.Items[i]; grant.Maps(binding, account.Name) {
			bound = append(bound, client.ObjectKeyFromObject(account))
		}
	}
	return bound, nil
}

// HasIdentities reports whether a ServiceAccount asks for identities or is bound to some. Annotations of azure-workload-identity
// count if workloadIdentity says so and an identity has the client ID.
func HasIdentities(ctx context.Context, reader client.Reader, account *metav1.PartialObjectMetadata, workloadIdentity bool) (bool, error) {
	if len(grant.ParseNames(account.Annotations[v1alpha1.IdentityAnnotation])) > 0 {
		return true, nil
	}
	if workloadIdentity {
		names, err := clientid.Names(ctx, reader, account.Annotations[workloadidentity.ClientIDAnnotation])
		if err != nil || len(names) > 0 {
			return len(names) > 0, err
		}
	}
	var bindings v1alpha1.IdentityBindingList
	if err := reader.List(ctx, &bindings, client.InNamespace(account.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("list the bindings of namespace %s: %w", account.Namespace, err)
	}
	return slices.ContainsFunc(bindings.Items, func(binding v1alpha1.IdentityBinding) bool {
		return grant.Maps(&binding, account.Name)
	}), nil
}
