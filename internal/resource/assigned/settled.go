package assigned

import (
	"context"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// AtAPI returns the role assignments of an API. It reads no identities: their principals are those that the controller has found.
func AtAPI(ctx context.Context, reader client.Reader, namespace, api string) ([]role.Assignment, error) {
	return those(ctx, reader, namespace, func(scope v1alpha1.AssignmentScope) bool { return scope.API == api },
		func(object *v1alpha1.RoleAssignment) (role.Assignment, error) { return Settled(object), nil })
}

// Settled returns the role that an object assigns. Its principal is "" if it names an identity, and the controller has not found it Ready as the
// object is now: what was found for an earlier specification says nothing of this one.
func Settled(object *v1alpha1.RoleAssignment) role.Assignment {
	assignment := specified(object)
	if object.Spec.Principal.Identity == "" {
		return assignment
	}
	ready := apimeta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
	if ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == object.Generation {
		assignment.Principal = string(object.Status.PrincipalID)
	}
	return assignment
}
