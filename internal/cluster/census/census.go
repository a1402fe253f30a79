// Package census finds the ServiceAccounts of a cluster that an identity is granted to.
package census

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// Accounts returns the ServiceAccounts that an identity is granted to, by annotation or binding, whether it is ready or not; by
// annotations of azure-workload-identity only if workloadIdentity says so. What single pods ask for does not count. The reader is a cache
// with Index: it looks only at ServiceAccounts that ask for the identity or are bound to it. They are sorted.
func Accounts(ctx context.Context, cached client.Reader, identity *v1alpha1.ManagedIdentity, workloadIdentity bool) ([]types.NamespacedName, error) {
	candidates, err := candidates(ctx, cached, identity, workloadIdentity)
	if err != nil {
		return nil, err
	}
	return granted(candidates, identity, workloadIdentity, fromCache(ctx, cached))
}

// Search does what Accounts does with any reader, for commands. It reads all namespaces, bindings and ServiceAccounts of the cluster.
func Search(ctx context.Context, reader client.Reader, identity *v1alpha1.ManagedIdentity, workloadIdentity bool) ([]types.NamespacedName, error) {
	accounts := directory.MetadataList("ServiceAccountList")
	if err := reader.List(ctx, accounts); err != nil {
		return nil, fmt.Errorf("list the ServiceAccounts: %w", err)
	}
	around, err := readAll(ctx, reader)
	if err != nil {
		return nil, err
	}
	return granted(accounts.Items, identity, workloadIdentity, around)
}

// granted returns those of some ServiceAccounts that an identity is granted to.
func granted(
	candidates []metav1.PartialObjectMetadata, identity *v1alpha1.ManagedIdentity, workloadIdentity bool, around surroundings,
) ([]types.NamespacedName, error) {
	var found []types.NamespacedName
	for i := range candidates {
		account := &candidates[i]
		labels, err := around.labels(account.Namespace)
		if err != nil {
			return nil, err
		}
		principal := principalOf(account, labels, identity, workloadIdentity)
		if !grant.Admits(identity, principal) {
			continue
		}
		bindings, err := around.bindings(account)
		if err != nil {
			return nil, err
		}
		// A lookup in memory never fails.
		decided, _ := grant.Decide(principal, grant.Among(identity), bindings)
		if len(decided.Identities)+len(decided.Pending) == 1 {
			found = append(found, client.ObjectKeyFromObject(account))
		}
	}
	slices.SortFunc(found, compareNames)
	return found, nil
}

// principalOf returns the principal of a ServiceAccount's pods. Their webhook finds the identity by the annotated client ID.
func principalOf(
	account *metav1.PartialObjectMetadata, namespace map[string]string, identity *v1alpha1.ManagedIdentity, workloadIdentity bool,
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
