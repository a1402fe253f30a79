package assigned

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestSettled(t *testing.T) {
	t.Parallel()
	const found, named = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
	for name, test := range map[string]struct {
		change func(*v1alpha1.RoleAssignment)
		want   string
	}{
		"an identity that is ready": {func(*v1alpha1.RoleAssignment) {}, found},
		"an object ID": {func(object *v1alpha1.RoleAssignment) {
			object.Spec.Principal, object.Status = v1alpha1.AssignedPrincipal{ObjectID: named}, v1alpha1.RoleAssignmentStatus{PrincipalID: found}
		}, named},
		"not looked at yet": {func(object *v1alpha1.RoleAssignment) { object.Status.Conditions = nil }, ""},
		"changed since":     {func(object *v1alpha1.RoleAssignment) { object.Generation++ }, ""},
		"not ready":         {func(object *v1alpha1.RoleAssignment) { object.Status.Conditions[0].Status = metav1.ConditionFalse }, ""},
		"another condition": {func(object *v1alpha1.RoleAssignment) { object.Status.Conditions[0].Type = "Other" }, ""},
	} {
		object := &v1alpha1.RoleAssignment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Generation: 3},
			Spec: v1alpha1.RoleAssignmentSpec{
				Principal: v1alpha1.AssignedPrincipal{Identity: "clerk"}, Role: "Orders.Read", Scope: v1alpha1.AssignmentScope{API: "orders"},
			},
			Status: v1alpha1.RoleAssignmentStatus{
				PrincipalID: found, Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: 3}},
			},
		}
		test.change(object)
		got := Settled(object)
		if got.Principal != test.want || got.Role != "Orders.Read" || got.Scope.Namespace != "shop" || got.Scope.API != "orders" {
			t.Errorf("%s: got %+v, want principal %q", name, got, test.want)
		}
	}
}
