package controllers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// What names an identity that was not reconciled yet is not written before, unless that takes too long.
func TestIdentitiesAreWaitedFor(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	resolved := build.NewIdentity("orders").Admitting("shop", "*").Ready()
	resolved.Status.PrincipalID = "9a0c8c4c-d5cb-5dc9-a40c-37f3e01c7c4b"
	for name, test := range map[string]struct {
		identity     build.Identity
		created, now time.Duration // since the start
		wait         time.Duration
		ready        metav1.ConditionStatus
	}{
		"of before the start":           {build.NewIdentity("orders").Admitting("shop", "*"), -time.Hour, 0, patience, ""},
		"later":                         {build.NewIdentity("orders").Admitting("shop", "*"), -time.Hour, time.Minute, patience - time.Minute, ""},
		"too late":                      {build.NewIdentity("orders").Admitting("shop", "*"), -time.Hour, patience, 0, metav1.ConditionFalse},
		"created much later":            {build.NewIdentity("orders").Admitting("shop", "*"), time.Hour, time.Hour, patience, ""},
		"created by a clock ahead":      {build.NewIdentity("orders").Admitting("shop", "*"), 2 * time.Hour, time.Hour, 0, metav1.ConditionFalse},
		"resolved":                      {resolved, -time.Hour, 0, 0, metav1.ConditionTrue},
		"there is none":                 {build.NewIdentity("other"), -time.Hour, 0, 0, metav1.ConditionFalse},
		"not ready, which has a reason": {build.NewIdentity("orders").Admitting("shop", "*").NotReady("because"), -time.Hour, 0, 0, metav1.ConditionFalse},
	} {
		test.identity.CreationTimestamp = metav1.NewTime(start.Add(test.created))
		binding := build.NewBinding("shop", "object").Of("cashier").To("orders").IdentityBinding
		assignment := &v1alpha1.RoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "object"}}
		assignment.Spec.Principal.Identity, assignment.Spec.Scope.API, assignment.Spec.Role = "orders", "orders", "Reader"
		api := fakeClient(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, test.identity.ManagedIdentity, binding, assignment)
		waiting := unresolved{
			now: func() time.Time { return start.Add(test.now) }, started: func() time.Time { return start },
		}
		recorder := events.NewFakeRecorder(2)
		for _, one := range []struct {
			object     client.Object
			conditions *[]metav1.Condition
			reconciler reconcile.Reconciler
		}{
			{binding, &binding.Status.Conditions, &IdentityBindingReconciler{Client: api, Events: recorder, unresolved: waiting}},
			{assignment, &assignment.Status.Conditions, &RoleAssignmentReconciler{Client: api, Events: recorder, unresolved: waiting}},
		} {
			result, err := one.reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(one.object)})
			if err != nil || result.RequeueAfter != test.wait {
				t.Errorf("%s: %T waits %s, want %s; error: %v", name, one.object, result.RequeueAfter, test.wait, err)
			}
			if err := api.Get(t.Context(), client.ObjectKeyFromObject(one.object), one.object); err != nil {
				t.Fatal(err)
			}
			var status metav1.ConditionStatus
			if ready := apimeta.FindStatusCondition(*one.conditions, v1alpha1.ConditionReady); ready != nil {
				status = ready.Status
			}
			if status != test.ready {
				t.Errorf("%s: %T is ready: %q, want %q", name, one.object, status, test.ready)
			}
		}
	}
}

// fakeClient returns a client of objects whose statuses are written apart.
func fakeClient(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(kinds).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.IdentityBinding{}, &v1alpha1.RoleAssignment{})
	return builder.Build()
}
