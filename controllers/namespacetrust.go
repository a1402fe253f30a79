package controllers

import (
	"context"
	"fmt"
	"maps"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/slim"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// NamespaceTrustReconciler keeps a ConfigMap in every namespace with the authorities that its sidecars trust, as Kubernetes
// does with its own (docs/design/trust-bundle.md). The webhook's configuration owns the ConfigMaps, so they are removed
// with it.
type NamespaceTrustReconciler struct {
	Client client.Client

	// Bundle returns the PEM certificates of the authorities; nil until there are any.
	Bundle func(context.Context) []byte

	Names install.Names

	// kept caches digests of the ConfigMaps.
	kept cache.Cache
}

// SetupWithManager registers the reconciler with its own cache of the ConfigMaps with the one name: the manager's cache
// holds another name.
func (r *NamespaceTrustReconciler) SetupWithManager(manager ctrl.Manager) error {
	var err error
	r.kept, err = cache.New(manager.GetConfig(), cache.Options{
		HTTPClient: manager.GetHTTPClient(), Scheme: manager.GetScheme(), Mapper: manager.GetRESTMapper(),
		ByObject: map[client.Object]cache.ByObject{&corev1.ConfigMap{}: {
			Field: fields.OneTermEqualSelector("metadata.name", r.Names.Trust()), Transform: slim.Digest(cabundle.Key),
		}},
	})
	if err != nil {
		return fmt.Errorf("make the cache of the trust of namespaces: %w", err)
	}
	if err := manager.Add(r.kept); err != nil {
		return fmt.Errorf("add the cache of the trust of namespaces: %w", err)
	}
	all := handler.EnqueueRequestsFromMapFunc(r.allNamespaces)
	err = ctrl.NewControllerManagedBy(manager).
		Named("namespacetrust").
		For(&corev1.Namespace{}, builder.OnlyMetadata, builder.WithPredicates(created(nil))).
		WatchesRawSource(source.Kind(r.kept, &corev1.ConfigMap{}, handler.TypedEnqueueRequestsFromMapFunc(namespaceOf))).
		Watches(&corev1.ConfigMap{}, all, builder.WithPredicates(created(bundleDiffers))).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, all, builder.WithPredicates(created(uidDiffers))).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the reconciler of the trust of namespaces: %w", err)
	}
	return nil
}

// Reconcile writes the ConfigMap of a namespace if it differs.
func (r *NamespaceTrustReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	bundle := r.Bundle(ctx)
	var owner admissionregistrationv1.MutatingWebhookConfiguration
	if err := r.Client.Get(ctx, client.ObjectKey{Name: r.Names.Name}, &owner); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("read the MutatingWebhookConfiguration %s: %w", r.Names.Name, err)
	}
	if bundle == nil || owner.UID == "" || r.isGoing(ctx, request.Name) {
		// The bundle or the owner is missing; a watch will report it.
		return ctrl.Result{}, nil
	}
	key := client.ObjectKey{Namespace: request.Name, Name: r.Names.Trust()}
	var current corev1.ConfigMap
	if err := r.kept.Get(ctx, key, &current); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("read the ConfigMap %s: %w", key, err)
	}
	if current.Data[cabundle.Key] == slim.DigestOf(bundle) && isOwned(&current, owner.UID) {
		return ctrl.Result{}, nil
	}
	err := r.Client.Apply(ctx, r.wanted(key, bundle, owner.UID), fieldOwner, client.ForceOwnership)
	if apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("write the ConfigMap %s: %w", key, err)
	}
	return ctrl.Result{}, nil
}

func (r *NamespaceTrustReconciler) wanted(key client.ObjectKey, bundle []byte, owner types.UID) *coreac.ConfigMapApplyConfiguration {
	return coreac.ConfigMap(key.Name, key.Namespace).
		WithAnnotations(map[string]string{"kubernetes.io/description": "The certificate authorities by which sidecars of kube-imds " +
			"know their node's issuer. The controller of kube-imds keeps it as it is."}).
		WithOwnerReferences(metaac.OwnerReference().
			WithAPIVersion(admissionregistrationv1.SchemeGroupVersion.String()).WithKind("MutatingWebhookConfiguration").
			WithName(r.Names.Name).WithUID(owner)).
		WithData(map[string]string{cabundle.Key: string(bundle)})
}

// isGoing reports whether a namespace is terminating or gone.
func (r *NamespaceTrustReconciler) isGoing(ctx context.Context, name string) bool {
	namespace := directory.Metadata("Namespace")
	return r.Client.Get(ctx, client.ObjectKey{Name: name}, namespace) != nil || namespace.DeletionTimestamp != nil
}

// allNamespaces maps to all namespaces, when something changes that all ConfigMaps depend on.
func (r *NamespaceTrustReconciler) allNamespaces(ctx context.Context, _ client.Object) []ctrl.Request {
	namespaces := directory.MetadataList("NamespaceList")
	if err := r.Client.List(ctx, namespaces, client.UnsafeDisableDeepCopy); err != nil {
		logMissed(ctx, err)
		return nil
	}
	requests := make([]ctrl.Request, 0, len(namespaces.Items))
	for _, namespace := range namespaces.Items {
		requests = append(requests, requestFor(namespace.Name))
	}
	return requests
}

func namespaceOf(_ context.Context, config *corev1.ConfigMap) []ctrl.Request {
	return []ctrl.Request{requestFor(config.Namespace)}
}

func isOwned(config *corev1.ConfigMap, owner types.UID) bool {
	for _, reference := range config.OwnerReferences {
		if reference.UID == owner {
			return true
		}
	}
	return false
}

// created passes creations, and updates that differ; without differs it passes no update.
func created(differs func(before, after client.Object) bool) predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc:  func(e event.UpdateEvent) bool { return differs != nil && differs(e.ObjectOld, e.ObjectNew) },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// bundleDiffers compares the published authorities only.
func bundleDiffers(before, after client.Object) bool {
	old, oldIs := before.(*corev1.ConfigMap)
	current, currentIs := after.(*corev1.ConfigMap)
	return !oldIs || !currentIs || !maps.Equal(old.Data, current.Data)
}

// uidDiffers compares UIDs: a watch may report a recreated object as an update.
func uidDiffers(before, after client.Object) bool { return before.GetUID() != after.GetUID() }
