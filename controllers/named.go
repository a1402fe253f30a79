package controllers

import (
	"context"
	"fmt"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// related says what else than a name two objects of a kind may contend for.
type related struct {
	// isRival reports whether they do, and differs whether a change of other than the spec matters to rivals. Both may be nil.
	isRival func(one, other client.Object) bool
	differs func(before, after client.Object) bool
}

// controlNamed registers a reconciler of a kind whose names are unique in the cluster: what happens to an object concerns those with its name,
// and its rivals.
func controlNamed(manager ctrl.Manager, name string, kind client.Object, list func() client.ObjectList, reconciler reconcile.Reconciler, others related) error {
	changed := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, created(others.differs)))
	err := ctrl.NewControllerManagedBy(manager).
		Named(name).
		For(kind, changed).
		Watches(kind, handler.EnqueueRequestsFromMapFunc(rivals(manager.GetClient(), list, others.isRival)), changed).
		Complete(reconciler)
	if err != nil {
		return fmt.Errorf("set up the reconciler %s: %w", name, err)
	}
	return nil
}

// served returns the condition Ready of an object, and whether its name is its own: it belongs to the owner.
func served(kind string, object, owner client.Object) (ready metav1.Condition, own bool) {
	ready = metav1.Condition{
		Type: v1alpha1.ConditionReady, ObservedGeneration: object.GetGeneration(), Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonServed, Message: "it is served; RoleAssignments beside it say who may use it",
	}
	if owner.GetUID() == object.GetUID() {
		return ready, true
	}
	ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonNameTaken
	ready.Message = fmt.Sprintf("the name belongs to the older %s of namespace %s: choose another one", kind, owner.GetNamespace())
	return ready, false
}

// namesOf returns the names of objects.
func namesOf[T any, P interface {
	*T
	client.Object
}](all []T) []string {
	names := make([]string, len(all))
	for i := range all {
		names[i] = P(&all[i]).GetName()
	}
	return names
}

// rivals maps an object to those of its kind with the same name, and to its rivals.
func rivals(api client.Client, list func() client.ObjectList, isRival func(one, other client.Object) bool) handler.MapFunc {
	return func(ctx context.Context, named client.Object) []ctrl.Request {
		all := list()
		if err := api.List(ctx, all, client.UnsafeDisableDeepCopy); err != nil {
			logMissed(ctx, err)
			return nil
		}
		var requests []ctrl.Request
		_ = apimeta.EachListItem(all, func(item runtime.Object) error {
			if one, ok := item.(client.Object); ok && (one.GetName() == named.GetName() || isRival != nil && isRival(one, named)) {
				requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(one)})
			}
			return nil
		})
		return requests
	}
}
