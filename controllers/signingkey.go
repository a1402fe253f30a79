package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/token"
)

// SigningKeyReconciler says which keys are published, and removes those whose time has passed or whose node is gone.
type SigningKeyReconciler struct {
	Client client.Client

	// Live reads from the API server: that a node is gone must not be taken from a cache that lags.
	Live client.Reader

	Now func() time.Time
}

// SetupWithManager makes the manager run the reconciler.
func (r *SigningKeyReconciler) SetupWithManager(manager ctrl.Manager) error {
	// A node's own changes, several a minute, say nothing of its keys.
	comesOrGoes := predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
	err := ctrl.NewControllerManagedBy(manager).
		Named("signingkey").
		For(&v1alpha1.SigningKey{}).
		WatchesMetadata(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.ofNode), builder.WithPredicates(comesOrGoes)).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the reconciler of SigningKeys: %w", err)
	}
	return nil
}

// Reconcile publishes one key, or removes it.
func (r *SigningKeyReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var key v1alpha1.SigningKey
	if err := r.Client.Get(ctx, request.NamespacedName, &key); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	now := r.Now()
	if !now.Before(key.Spec.NotAfter.Time) {
		return ctrl.Result{}, r.remove(ctx, &key, "its time has passed")
	}
	gone, err := r.isNodeGone(ctx, key.Spec)
	if err != nil {
		return ctrl.Result{}, err
	}
	if gone {
		return ctrl.Result{}, r.remove(ctx, &key, "its node is gone")
	}
	if err := r.publish(ctx, &key); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: key.Spec.NotAfter.Sub(now)}, nil
}

// publish notes that the key is in the JWKS, which every replica serves from the cache that this one was read from.
func (r *SigningKeyReconciler) publish(ctx context.Context, key *v1alpha1.SigningKey) error {
	before := key.DeepCopy()
	published := metav1.Condition{
		Type: v1alpha1.ConditionPublished, ObservedGeneration: key.Generation,
		Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPublished, Message: "the key is in the JWKS",
	}
	if _, err := token.ParsePublicKey(key.Spec); err != nil {
		published.Status, published.Reason, published.Message = metav1.ConditionFalse, v1alpha1.ReasonInvalid, err.Error()
	}
	if !apimeta.SetStatusCondition(&key.Status.Conditions, published) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, key, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("write the status of SigningKey %s: %w", key.Name, err)
	}
	return nil
}

func (r *SigningKeyReconciler) remove(ctx context.Context, key *v1alpha1.SigningKey, why string) error {
	err := r.Client.Delete(ctx, key, client.Preconditions{UID: &key.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove SigningKey %s: %w", key.Name, err)
	}
	ctrl.LoggerFrom(ctx).Info("removed a signing key", "node", key.Spec.NodeName, "why", why)
	return nil
}

// isNodeGone tells whether the node that holds the key was deleted, be it that another of its name has joined since.
func (r *SigningKeyReconciler) isNodeGone(ctx context.Context, spec v1alpha1.SigningKeySpec) (bool, error) {
	for _, reader := range []client.Reader{r.Client, r.Live} {
		node := &metav1.PartialObjectMetadata{}
		node.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Node"))
		err := reader.Get(ctx, client.ObjectKey{Name: spec.NodeName}, node)
		if err != nil && !apierrors.IsNotFound(err) {
			return false, fmt.Errorf("read the Node %s: %w", spec.NodeName, err)
		}
		if err == nil && string(node.UID) == spec.NodeUID {
			return false, nil
		}
	}
	return true, nil
}

// ofNode are the keys of a node.
func (r *SigningKeyReconciler) ofNode(ctx context.Context, node client.Object) []ctrl.Request {
	var keys v1alpha1.SigningKeyList
	if r.Client.List(ctx, &keys, client.UnsafeDisableDeepCopy) != nil {
		return nil
	}
	var requests []ctrl.Request
	for _, key := range keys.Items {
		if key.Spec.NodeName == node.GetName() {
			requests = append(requests, requestFor(key.Name))
		}
	}
	return requests
}
