package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/census"
	"github.com/kube-imds/kube-imds/internal/cluster/uninjected"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/identifier"
)

// ManagedIdentityReconciler resolves the IDs of identities, and counts the ServiceAccounts that they are granted to.
type ManagedIdentityReconciler struct {
	Client   client.Client
	Events   events.EventRecorder
	Defaults identifier.Defaults

	// WorkloadIdentity reports whether annotations of azure-workload-identity ask for identities.
	WorkloadIdentity bool

	// Uninjected has the numbers of pods without IMDS; nil if they are not counted.
	Uninjected *uninjected.Counts

	// Federated reports whether there is a federation issuer, without which Entra ID issues no tokens.
	Federated bool
}

// concurrency is how many objects of a kind are reconciled at once: each waits for the API server most of the time.
const concurrency = 4

// recountInterval is how often an identity is counted again while ServiceAccounts keep coming and going.
const recountInterval = time.Second

// SetupWithManager registers the reconciler. The manager's cache needs Index.
func (r *ManagedIdentityReconciler) SetupWithManager(manager ctrl.Manager) error {
	affected := &affected{r.Client}
	conflicts := r.conflicts()
	identities := ctrl.NewControllerManagedBy(manager).
		Named("managedidentity").
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		For(&v1alpha1.ManagedIdentity{}).
		Watches(&v1alpha1.ManagedIdentity{}, handler.EnqueueRequestsFromMapFunc(conflicts.of), builder.WithPredicates(conflicts.changed(), afterStart)).
		Watches(&v1alpha1.IdentityBinding{}, handler.EnqueueRequestsFromMapFunc(affected.namedByBinding),
			builder.WithPredicates(predicate.GenerationChangedPredicate{}, afterStart)).
		WatchesMetadata(&corev1.ServiceAccount{}, newSpaced(recountInterval, time.Now).handler(affected.askedByServiceAccount),
			builder.WithPredicates(predicate.AnnotationChangedPredicate{}, afterStart)).
		WatchesMetadata(&corev1.Namespace{}, labelChanges{r.Client}.handler(affected.askedIn))
	if r.Uninjected != nil {
		identities.WatchesRawSource(recounted(r.Uninjected, affected.recounted))
	}
	if err := identities.Complete(r); err != nil {
		return fmt.Errorf("set up the reconciler of ManagedIdentities: %w", err)
	}
	return nil
}

func (r *ManagedIdentityReconciler) conflicts() conflicts { return conflicts{r.Client, r.Defaults} }

// Reconcile updates the status of one identity.
func (r *ManagedIdentityReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var identity v1alpha1.ManagedIdentity
	if err := r.Client.Get(ctx, request.NamespacedName, &identity); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := identity.DeepCopy()
	ready, err := r.resolve(ctx, &identity)
	if err != nil {
		return ctrl.Result{}, err
	}
	apimeta.SetStatusCondition(&identity.Status.Conditions, ready)
	if err := r.count(ctx, &identity); err != nil {
		return ctrl.Result{}, err
	}
	if equality.Semantic.DeepEqual(before.Status, identity.Status) {
		return ctrl.Result{}, nil
	}
	// The signer writes another condition of the list, which must not be lost.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err = r.Client.Status().Patch(ctx, &identity, patch)
	if apierrors.IsConflict(err) {
		// The watch brings the newer identity.
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("write the status of ManagedIdentity %s: %w", identity.Name, err)
	}
	announce(r.Events, &identity, before.Status.Conditions, ready)
	announceInjection(r.Events, &identity, before.Status.Conditions, identity.Status.Conditions)
	return ctrl.Result{}, nil
}

// count sets the number of the ServiceAccounts that the identity is granted to, and how many of their pods have no IMDS.
func (r *ManagedIdentityReconciler) count(ctx context.Context, identity *v1alpha1.ManagedIdentity) error {
	accounts, err := census.Accounts(ctx, r.Client, identity, r.WorkloadIdentity)
	if err != nil {
		return err
	}
	status := &identity.Status
	status.BoundServiceAccounts = new(int32(len(accounts)))
	injectionStatus{&status.Conditions, &status.UninjectedPods, identity.Generation}.set(r.Uninjected, accounts)
	return nil
}

// resolve writes the identity's IDs into its status and sets its readiness.
func (r *ManagedIdentityReconciler) resolve(ctx context.Context, identity *v1alpha1.ManagedIdentity) (metav1.Condition, error) {
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, ObservedGeneration: identity.Generation,
		Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolved, Message: "tokens can be issued",
	}
	resolved := identifier.Resolve(identity, r.Defaults)
	rival, err := r.conflicts().older(ctx, identity, resolved)
	if err != nil {
		return ready, err
	}
	if rival != "" {
		ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonIDsConflict
		ready.Message = fmt.Sprintf("ManagedIdentity %q has one of the same IDs and is older: change this identity's IDs or delete one of the two", rival)
		return ready, nil
	}
	resolved.WriteTo(&identity.Status)
	if identity.Spec.TokenSource == v1alpha1.TokenSourceEntra {
		r.federate(identity, &ready)
	} else {
		apimeta.RemoveStatusCondition(&identity.Status.Conditions, v1alpha1.ConditionFederated)
	}
	return ready, nil
}

// federate sets the readiness of an identity of Entra ID: what Entra last answered.
func (r *ManagedIdentityReconciler) federate(identity *v1alpha1.ManagedIdentity, ready *metav1.Condition) {
	last := apimeta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionFederated)
	switch {
	case !r.Federated && entra.AssertsIdentity(identity):
		ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonTokenSource
		ready.Message = "there is no federation issuer: set federation.issuerURL in the chart's values, or spec.entra.assertion to " +
			"ServiceAccount (see docs/entra.md)"
	case last == nil || last.ObservedGeneration != identity.Generation:
		ready.Status, ready.Reason = metav1.ConditionUnknown, v1alpha1.ReasonNotTried
		ready.Message = fmt.Sprintf("no pod has asked Entra ID for a token yet; "+
			"`kubectl imds federation credential %s` prints the federated credential that Entra ID needs", identity.Name)
	case last.Status != metav1.ConditionTrue:
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, v1alpha1.ReasonNotFederated, last.Message
	}
}
