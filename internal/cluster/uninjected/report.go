package uninjected

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Report says how many pods of some ServiceAccounts have no IMDS, and which of the ServiceAccounts have such pods.
type Report struct {
	Pods     int
	Accounts []types.NamespacedName
}

// Condition returns the condition PodsInjected of an object of a generation.
func (r *Report) Condition(generation int64) metav1.Condition {
	condition := metav1.Condition{
		Type: v1alpha1.ConditionPodsInjected, ObservedGeneration: generation,
		Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAllInjected, Message: "no running pod of the ServiceAccounts lacks IMDS",
	}
	if r.Pods > 0 {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonNotInjected, r.Message()
	}
	return condition
}

// Message says what is missing, and the way out. Its length is bounded.
func (r *Report) Message() string {
	first := r.Accounts[0]
	of := fmt.Sprintf("ServiceAccount %s", first)
	if more := len(r.Accounts) - 1; more > 0 {
		of += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("running pods without IMDS: %d, of %s: label the namespace (kubectl label --overwrite namespace %s kube-imds.io/inject=enabled) "+
		"or annotate the pods kube-imds.io/inject: \"true\", and recreate them; pods that need no IMDS are annotated \"false\"",
		r.Pods, of, first.Namespace)
}
