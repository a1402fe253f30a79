package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/census"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/uninjected"
)

// UninjectedReconciler counts the pods without IMDS of each ServiceAccount that asks for identities or is bound to some. Pods are
// not watched: that would cost memory for every pod of the cluster.
type UninjectedReconciler struct {
	Client  client.Client
	Events  events.EventRecorder
	Counter *uninjected.Counter
	Counts  *uninjected.Counts

	// Found and NotFound are the times after which a ServiceAccount with such pods, and one without, is counted again.
	Found, NotFound time.Duration
}

// SetupWithManager registers the reconciler.
func (r *UninjectedReconciler) SetupWithManager(manager ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(manager).
		Named("uninjected").
		For(directory.Metadata("ServiceAccount"), builder.OnlyMetadata, builder.WithPredicates(predicate.AnnotationChangedPredicate{})).
		Watches(&v1alpha1.IdentityBinding{}, handler.EnqueueRequestsFromMapFunc(r.boundBy),
			builder.WithPredicates(predicate.GenerationChangedPredicate{}, afterStart)).
		Watches(&v1alpha1.ManagedIdentity{}, handler.EnqueueRequestsFromMapFunc(r.withClientID),
			builder.WithPredicates(predicate.GenerationChangedPredicate{}, afterStart)).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the reconciler of ServiceAccounts: %w", err)
	}
	return nil
}

// Reconcile counts the pods of one ServiceAccount.
func (r *UninjectedReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	account, err := r.withIdentities(ctx, request.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	if account == nil {
		r.Counts.Forget(request.NamespacedName)
		return ctrl.Result{}, nil
	}
	pods, err := r.Counter.Count(ctx, request.NamespacedName)
	if ctx.Err() != nil {
		// The process ends, and many wait for their turn.
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	before := r.Counts.Set(request.NamespacedName, pods)
	if pods > 0 && before == 0 {
		r.announce(account, pods)
	}
	return ctrl.Result{RequeueAfter: r.next(pods)}, nil
}

// withIdentities returns a ServiceAccount, or nil if it does not exist or has no identities.
func (r *UninjectedReconciler) withIdentities(ctx context.Context, name types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
	account := directory.Metadata("ServiceAccount")
	err := r.Client.Get(ctx, name, account)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the ServiceAccount %s: %w", name, err)
	}
	has, err := census.HasIdentities(ctx, r.Client, account, r.Counter.WorkloadIdentity)
	if err != nil || !has {
		return nil, err
	}
	return account, nil
}

// announce creates an event at the ServiceAccount, which has no status.
func (r *UninjectedReconciler) announce(account *metav1.PartialObjectMetadata, pods int) {
	report := uninjected.Report{Pods: pods, Accounts: []types.NamespacedName{client.ObjectKeyFromObject(account)}}
	r.Events.Eventf(account, nil, corev1.EventTypeWarning, v1alpha1.ReasonNotInjected, "Reconcile", "%s", report.Message())
}

// next returns when a ServiceAccount is counted again, spread so that they do not come all at once.
func (r *UninjectedReconciler) next(pods int) time.Duration {
	if pods > 0 {
		return wait.Jitter(r.Found, 0.2)
	}
	return wait.Jitter(r.NotFound, 0.2)
}

// boundBy maps a binding to the ServiceAccounts that it maps.
func (r *UninjectedReconciler) boundBy(ctx context.Context, object client.Object) []ctrl.Request {
	binding, ok := object.(*v1alpha1.IdentityBinding)
	if !ok {
		return nil
	}
	accounts, err := census.Bound(ctx, r.Client, binding)
	if err != nil {
		logMissed(ctx, err)
	}
	return requestsForAccounts(accounts)
}

// withClientID maps an identity to the ServiceAccounts that ask for its client ID.
func (r *UninjectedReconciler) withClientID(ctx context.Context, object client.Object) []ctrl.Request {
	identity, ok := object.(*v1alpha1.ManagedIdentity)
	if !ok || identity.Spec.ClientID == "" {
		return nil
	}
	accounts, err := census.WithClientID(ctx, r.Client, string(identity.Spec.ClientID))
	if err != nil {
		logMissed(ctx, err)
	}
	return requestsForAccounts(accounts)
}

func requestsForAccounts(accounts []types.NamespacedName) []ctrl.Request {
	var requests []ctrl.Request
	for _, account := range accounts {
		requests = append(requests, ctrl.Request{NamespacedName: account})
	}
	return requests
}
