// Package census finds the ServiceAccounts of a cluster that an identity is granted to.
package census

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// Accounts returns the ServiceAccounts that an identity is granted to, by annotation or binding, whether it is ready or not; by
// annotations of azure-workload-identity only if workloadIdentity says so. What single pods ask for does not count. It lists the
// namespaces, bindings and ServiceAccounts of the cluster.
func Accounts(
	ctx context.Context, reader client.Reader, identity *v1alpha1.ManagedIdentity, workloadIdentity bool,
) ([]types.NamespacedName, error) {
	namespaces, err := namespaceLabels(ctx, reader)
	if err != nil {
		return nil, err
	}
	bindings, err := bindingsByNamespace(ctx, reader)
	if err != nil {
		return nil, err
	}
	accounts := directory.MetadataList("ServiceAccountList")
	if err := reader.List(ctx, accounts, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the ServiceAccounts: %w", err)
	}
	var granted []types.NamespacedName
	for _, account := range accounts.Items {
		principal := principalOf(account, namespaces[account.Namespace], identity, workloadIdentity)
		// Admission is cheap to check, and most ServiceAccounts fail it.
		if grant.Admits(identity, principal) && isGranted(principal, identity, bindings[account.Namespace]) {
			granted = append(granted, types.NamespacedName{Namespace: account.Namespace, Name: account.Name})
		}
	}
	return granted, nil
}

// principalOf returns the principal of a ServiceAccount's pods. Their webhook finds the identity by the annotated client ID.
func principalOf(
	account metav1.PartialObjectMetadata, namespace map[string]string, identity *v1alpha1.ManagedIdentity, workloadIdentity bool,
) grant.Principal {
	principal := grant.Principal{
		Namespace: account.Namespace, NamespaceLabels: namespace,
		ServiceAccount: account.Name, ServiceAccountAnnotations: account.Annotations,
	}
	if workloadIdentity && grant.HasClientID(identity, account.Annotations[workloadidentity.ClientIDAnnotation]) {
		principal.PodAnnotations = map[string]string{v1alpha1.WorkloadIdentityAnnotation: identity.Name}
	}
	return principal
}

// isGranted reports whether the principal is granted the identity, ready or not.
func isGranted(principal grant.Principal, identity *v1alpha1.ManagedIdentity, bindings []v1alpha1.IdentityBinding) bool {
	// A lookup in memory never fails.
	decided, _ := grant.Decide(principal, grant.Among(identity), bindings)
	return len(decided.Identities)+len(decided.Pending) == 1
}

func namespaceLabels(ctx context.Context, reader client.Reader) (map[string]map[string]string, error) {
	list := directory.MetadataList("NamespaceList")
	if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the namespaces: %w", err)
	}
	labels := map[string]map[string]string{}
	for _, namespace := range list.Items {
		labels[namespace.Name] = namespace.Labels
	}
	return labels, nil
}

func bindingsByNamespace(ctx context.Context, reader client.Reader) (map[string][]v1alpha1.IdentityBinding, error) {
	var list v1alpha1.IdentityBindingList
	if err := reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the bindings: %w", err)
	}
	byNamespace := map[string][]v1alpha1.IdentityBinding{}
	for _, binding := range list.Items {
		byNamespace[binding.Namespace] = append(byNamespace[binding.Namespace], binding)
	}
	return byNamespace, nil
}
