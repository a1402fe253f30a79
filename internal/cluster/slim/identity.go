package slim

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Identity keeps what a grant and a token depend on: spec, which the CRD bounds, IDs, and readiness.
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

// Binding keeps the spec, which the CRD bounds.
func Binding(object any) (any, error) {
	binding, ok := object.(*v1alpha1.IdentityBinding)
	if !ok {
		return object, nil
	}
	return &v1alpha1.IdentityBinding{
		TypeMeta: binding.TypeMeta, ObjectMeta: identifying(binding.ObjectMeta), Spec: binding.Spec,
	}, nil
}

// readiness keeps the conditions that decide, and what Entra ID last answered.
func readiness(conditions []metav1.Condition) []metav1.Condition {
	var kept []metav1.Condition
	for _, condition := range conditions {
		switch condition.Type {
		case v1alpha1.ConditionReady:
			condition.Message = cut(condition.Message, maxMessage)
		case v1alpha1.ConditionFederated:
			// The signer compares it with the next answer, so it is kept whole.
			condition.Message = cut(condition.Message, v1alpha1.MaxFederatedMessage)
		default:
			continue
		}
		kept = append(kept, condition)
	}
	return kept
}
