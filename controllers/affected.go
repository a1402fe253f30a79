package controllers

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
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

// askedByServiceAccount maps a ServiceAccount to the identities that it asks for or that bindings of its namespace name.
func (a *affected) askedByServiceAccount(ctx context.Context, object client.Object) []ctrl.Request {
	names := append(grant.ParseNames(object.GetAnnotations()[v1alpha1.IdentityAnnotation]), a.withClientID(ctx, object)...)
	var bindings v1alpha1.IdentityBindingList
	if err := a.reader.List(ctx, &bindings, client.InNamespace(object.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		logMissed(ctx, err)
	}
	for _, binding := range bindings.Items {
		names = append(names, binding.Spec.Identities...)
	}
	return requestsFor(names)
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

// all maps to all identities.
func (a *affected) all(ctx context.Context, _ client.Object) []ctrl.Request {
	var list v1alpha1.ManagedIdentityList
	if err := a.reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
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
