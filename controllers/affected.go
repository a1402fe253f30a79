package controllers

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/census"
	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// affected maps objects to the identities whose counts they affect.
type affected struct {
	reader client.Reader
}

// namedByBinding maps a binding to the identities that it names.
func (a *affected) namedByBinding(_ context.Context, object client.Object) []ctrl.Request {
	binding, ok := object.(*v1alpha1.IdentityBinding)
	if !ok {
		return nil
	}
	return requestsFor(binding.Spec.Identities)
}

// askedByServiceAccount maps a ServiceAccount to the identities that it asks for or that bindings map it to.
func (a *affected) askedByServiceAccount(ctx context.Context, object client.Object) []ctrl.Request {
	names := append(census.Asked(object), a.withClientID(ctx, object)...)
	bindings, err := census.Mapping(ctx, a.reader, client.ObjectKeyFromObject(object))
	if err != nil {
		logMissed(ctx, err)
	}
	for i := range bindings {
		names = append(names, bindings[i].Spec.Identities...)
	}
	return requestsFor(names)
}

// askedIn maps a namespace to the dependent identities that its ServiceAccounts ask for or are bound to.
func (a *affected) askedIn(ctx context.Context, namespace string, depends func(identity string) bool) []ctrl.Request {
	var names []string
	accounts := directory.MetadataList("ServiceAccountList")
	if err := a.reader.List(ctx, accounts, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		logMissed(ctx, err)
	}
	for i := range accounts.Items {
		names = append(names, append(census.Asked(&accounts.Items[i]), a.withClientID(ctx, &accounts.Items[i])...)...)
	}
	var bindings v1alpha1.IdentityBindingList
	if err := a.reader.List(ctx, &bindings, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		logMissed(ctx, err)
	}
	for i := range bindings.Items {
		names = append(names, bindings.Items[i].Spec.Identities...)
	}
	return requestsFor(slices.DeleteFunc(names, func(name string) bool { return !depends(name) }))
}

// recounted maps a ServiceAccount whose pods were counted to its identities. If it was deleted, its own event does.
func (a *affected) recounted(ctx context.Context, account types.NamespacedName) []ctrl.Request {
	object := directory.Metadata("ServiceAccount")
	if err := a.reader.Get(ctx, account, object); err != nil {
		if !apierrors.IsNotFound(err) {
			logMissed(ctx, err)
		}
		return nil
	}
	return a.askedByServiceAccount(ctx, object)
}

// withClientID returns the names of the identities whose client ID a ServiceAccount asks for.
func (a *affected) withClientID(ctx context.Context, object client.Object) []string {
	names, err := clientid.Names(ctx, a.reader, object.GetAnnotations()[workloadidentity.ClientIDAnnotation])
	if err != nil {
		logMissed(ctx, err)
	}
	return names
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
