package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// census counts the ServiceAccounts that an identity is granted to, and maps objects to the identities whose count they
// affect.
type census struct {
	reader client.Reader
}

// count returns how many ServiceAccounts an identity is granted to, by annotation or binding. It does not count what single
// pods ask for.
func (c *census) count(ctx context.Context, identity *v1alpha1.ManagedIdentity) (int32, error) {
	namespaces, err := c.namespaceLabels(ctx)
	if err != nil {
		return 0, err
	}
	bindings, err := c.bindings(ctx)
	if err != nil {
		return 0, err
	}
	accounts := metadataList("ServiceAccountList")
	if err := c.reader.List(ctx, accounts, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("list the ServiceAccounts: %w", err)
	}
	var granted int32
	for _, account := range accounts.Items {
		principal := grant.Principal{
			Namespace: account.Namespace, NamespaceLabels: namespaces[account.Namespace],
			ServiceAccount: account.Name, ServiceAccountAnnotations: account.Annotations,
		}
		// Admission is cheap to check, and most ServiceAccounts fail it.
		if grant.Admits(identity, principal) && isGranted(principal, identity, bindings[account.Namespace]) {
			granted++
		}
	}
	return granted, nil
}

// isGranted reports whether the principal is granted the identity, ready or not.
func isGranted(principal grant.Principal, identity *v1alpha1.ManagedIdentity, bindings []v1alpha1.IdentityBinding) bool {
	// A lookup in memory never fails.
	decided, _ := grant.Decide(principal, grant.Among(identity), bindings)
	for _, refusal := range decided.Refusals {
		if refusal.Identity == identity.Name && refusal.Temporary() {
			return true
		}
	}
	return len(decided.Identities) == 1
}

func (c *census) namespaceLabels(ctx context.Context) (map[string]map[string]string, error) {
	list := metadataList("NamespaceList")
	if err := c.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the namespaces: %w", err)
	}
	labels := map[string]map[string]string{}
	for _, namespace := range list.Items {
		labels[namespace.Name] = namespace.Labels
	}
	return labels, nil
}

func (c *census) bindings(ctx context.Context) (map[string][]v1alpha1.IdentityBinding, error) {
	var list v1alpha1.IdentityBindingList
	if err := c.reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the bindings: %w", err)
	}
	byNamespace := map[string][]v1alpha1.IdentityBinding{}
	for _, binding := range list.Items {
		byNamespace[binding.Namespace] = append(byNamespace[binding.Namespace], binding)
	}
	return byNamespace, nil
}

// namedByBinding maps a binding to the identities that it names.
func (c *census) namedByBinding(_ context.Context, object client.Object) []ctrl.Request {
	binding, ok := object.(*v1alpha1.IdentityBinding)
	if !ok {
		return nil
	}
	return requestsFor(binding.Spec.Identities)
}

// askedByServiceAccount maps a ServiceAccount to the identities that it asks for or that bindings of its namespace name.
func (c *census) askedByServiceAccount(ctx context.Context, object client.Object) []ctrl.Request {
	names := grant.ParseNames(object.GetAnnotations()[v1alpha1.IdentityAnnotation])
	var bindings v1alpha1.IdentityBindingList
	if err := c.reader.List(ctx, &bindings, client.InNamespace(object.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		logMissed(ctx, err)
	}
	for _, binding := range bindings.Items {
		names = append(names, binding.Spec.Identities...)
	}
	return requestsFor(names)
}

// all maps to all identities.
func (c *census) all(ctx context.Context, _ client.Object) []ctrl.Request {
	var list v1alpha1.ManagedIdentityList
	if err := c.reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		logMissed(ctx, err)
		return nil
	}
	var requests []ctrl.Request
	for _, identity := range list.Items {
		requests = append(requests, requestFor(identity.Name))
	}
	return requests
}

func requestsFor(names []string) []ctrl.Request {
	var requests []ctrl.Request
	for _, name := range names {
		requests = append(requests, requestFor(name))
	}
	return requests
}

func requestFor(name string) ctrl.Request {
	return ctrl.Request{NamespacedName: types.NamespacedName{Name: name}}
}

// metadataList returns a list to read metadata of the core group into.
func metadataList(kind string) *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return list
}
