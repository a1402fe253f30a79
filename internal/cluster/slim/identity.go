package slim

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Identity keeps of a ManagedIdentity what a grant and a token hang on: its spec, which its definition bounds, its IDs, and whether it
// is ready.
func Identity(object any) (any, error) {
	identity, ok := object.(*v1alpha1.ManagedIdentity)
	if !ok {
		return object, nil
	}
	slim := &v1alpha1.ManagedIdentity{
		TypeMeta: identity.TypeMeta, ObjectMeta: identifying(identity.ObjectMeta), Spec: identity.Spec, Status: identity.Status,
	}
	slim.Status.Conditions = readiness(identity.Status.Conditions)
	return slim, nil
}

// Binding keeps of an IdentityBinding its spec, which its definition bounds.
func Binding(object any) (any, error) {
	binding, ok := object.(*v1alpha1.IdentityBinding)
	if !ok {
		return object, nil
	}
	return &v1alpha1.IdentityBinding{
		TypeMeta: binding.TypeMeta, ObjectMeta: identifying(binding.ObjectMeta), Spec: binding.Spec,
	}, nil
}

// readiness keeps of conditions the one that says whether an object is ready.
func readiness(conditions []metav1.Condition) []metav1.Condition {
	for _, condition := range conditions {
		if condition.Type == v1alpha1.ConditionReady {
			condition.Message = cut(condition.Message, maxMessage)
			return []metav1.Condition{condition}
		}
	}
	return nil
}
