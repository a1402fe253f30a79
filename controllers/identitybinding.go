package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/census"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/uninjected"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// IdentityBindingReconciler maintains the status of bindings.
type IdentityBindingReconciler struct {
	Client client.Client
	Events events.EventRecorder

	// Uninjected has the numbers of pods without IMDS; nil if they are not counted.
	Uninjected *uninjected.Counts

	unresolved unresolved
}

// SetupWithManager registers the reconciler. The manager's cache needs Index.
func (r *IdentityBindingReconciler) SetupWithManager(manager ctrl.Manager) error {
	r.unresolved = newUnresolved(time.Now)
	bindings := ctrl.NewControllerManagedBy(manager).
		Named("identitybinding").
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		For(&v1alpha1.IdentityBinding{}).
		Watches(&v1alpha1.ManagedIdentity{}, handler.EnqueueRequestsFromMapFunc(r.naming),
			builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, readinessChanged), afterStart)).
		WatchesMetadata(&corev1.Namespace{}, labelChanges{r.Client}.handler(r.inNamespace))
	if r.Uninjected != nil {
		bindings.WatchesRawSource(recounted(r.Uninjected, r.mapping))
	}
	if err := bindings.Complete(r); err != nil {
		return fmt.Errorf("set up the reconciler of IdentityBindings: %w", err)
	}
	return nil
}

// Reconcile updates the status of one binding.
func (r *IdentityBindingReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var binding v1alpha1.IdentityBinding
	if err := r.Client.Get(ctx, request.NamespacedName, &binding); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := binding.DeepCopy()
	ready, wait, err := r.judge(ctx, &binding)
	if err != nil || wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, err
	}
	apimeta.SetStatusCondition(&binding.Status.Conditions, ready)
	if err := r.countPods(ctx, &binding); err != nil {
		return ctrl.Result{}, err
	}
	if written, err := writeStatus(ctx, r.Client, "IdentityBinding", &binding, before); err != nil || !written {
		return ctrl.Result{}, err
	}
	announce(r.Events, &binding, before.Status.Conditions, ready)
	announceInjection(r.Events, &binding, before.Status.Conditions, binding.Status.Conditions)
	return ctrl.Result{}, nil
}

// judge returns the first reason for which a ServiceAccount of the binding is refused one of its identities. If that is only that an identity
// was not reconciled yet, it returns how long to wait for it; the change of its status comes before.
func (r *IdentityBindingReconciler) judge(ctx context.Context, binding *v1alpha1.IdentityBinding) (metav1.Condition, time.Duration, error) {
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, ObservedGeneration: binding.Generation,
		Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonBound, Message: "every identity admits the ServiceAccounts",
	}
	namespace := directory.Metadata("Namespace")
	if err := r.Client.Get(ctx, client.ObjectKey{Name: binding.Namespace}, namespace, client.UnsafeDisableDeepCopy); err != nil {
		return ready, 0, fmt.Errorf("read the namespace %s: %w", binding.Namespace, err)
	}
	for _, name := range binding.Spec.Identities {
		identity := &v1alpha1.ManagedIdentity{}
		err := r.Client.Get(ctx, client.ObjectKey{Name: name}, identity, client.UnsafeDisableDeepCopy)
		if apierrors.IsNotFound(err) {
			identity = nil
		} else if err != nil {
			return ready, 0, fmt.Errorf("read the ManagedIdentity %s: %w", name, err)
		}
		for _, account := range binding.Spec.ServiceAccounts {
			principal := grant.Principal{
				Namespace: binding.Namespace, NamespaceLabels: namespace.Labels, ServiceAccount: account,
			}
			if refusal := grant.Check(principal, name, identity); refusal != nil {
				if refusal.Temporary() {
					if wait := r.unresolved.wait(identity); wait > 0 {
						return ready, wait, nil
					}
				}
				ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, string(refusal.Reason), refusal.Message
				return ready, 0, nil
			}
		}
	}
	return ready, 0, nil
}

// countPods sets how many of the binding's pods have no IMDS.
func (r *IdentityBindingReconciler) countPods(ctx context.Context, binding *v1alpha1.IdentityBinding) error {
	accounts, err := census.Bound(ctx, r.Client, binding)
	if err != nil {
		return err
	}
	status := &binding.Status
	injectionStatus{&status.Conditions, &status.UninjectedPods, binding.Generation}.set(r.Uninjected, accounts)
	return nil
}

// naming maps an identity to the bindings that name it.
func (r *IdentityBindingReconciler) naming(ctx context.Context, identity client.Object) []ctrl.Request {
	bindings, err := census.Naming(ctx, r.Client, identity.GetName())
	return requestsForBindings(ctx, bindings, err)
}

// inNamespace maps a namespace to its bindings that name dependent identities.
func (r *IdentityBindingReconciler) inNamespace(ctx context.Context, namespace string, depends func(identity string) bool) []ctrl.Request {
	var bindings v1alpha1.IdentityBindingList
	err := r.Client.List(ctx, &bindings, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)
	return requestsForBindings(ctx, slices.DeleteFunc(bindings.Items, func(binding v1alpha1.IdentityBinding) bool {
		return !slices.ContainsFunc(binding.Spec.Identities, depends)
	}), err)
}

// mapping maps a ServiceAccount to the bindings that map it.
func (r *IdentityBindingReconciler) mapping(ctx context.Context, account types.NamespacedName) []ctrl.Request {
	bindings, err := census.Mapping(ctx, r.Client, account)
	return requestsForBindings(ctx, bindings, err)
}

func requestsForBindings(ctx context.Context, bindings []v1alpha1.IdentityBinding, err error) []ctrl.Request {
	if err != nil {
		logMissed(ctx, err)
	}
	var requests []ctrl.Request
	for i := range bindings {
		requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&bindings[i])})
	}
	return requests
}

// readinessChanged passes updates of identities by which a binding may be judged differently, and no other events.
var readinessChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, beforeIs := e.ObjectOld.(*v1alpha1.ManagedIdentity)
		after, afterIs := e.ObjectNew.(*v1alpha1.ManagedIdentity)
		return beforeIs && afterIs && !equality.Semantic.DeepEqual(readinessOf(before), readinessOf(after))
	},
}

func readinessOf(identity *v1alpha1.ManagedIdentity) *metav1.Condition {
	return apimeta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionReady)
}
