package grant

import (
	"fmt"
	"maps"
	"slices"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Refusal is why an identity is not granted.
type Refusal struct {
	// Identity is the name of the ManagedIdentity; "" if the request names none.
	Identity string

	// Reason is for programs.
	Reason Reason

	// Message is for people and says what to do.
	Message string
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// Temporary reports whether the refusal will pass by itself.
func (r *Refusal) Temporary() bool { return r.Reason == ReasonNotReady }

// Reason is why an identity is not granted.
type Reason string

// The reasons.
const (
	ReasonNotFound    Reason = v1alpha1.ReasonIdentityNotFound
	ReasonNotReady    Reason = v1alpha1.ReasonIdentityNotReady
	ReasonNotAdmitted Reason = v1alpha1.ReasonNotAdmitted
	ReasonTokenSource Reason = v1alpha1.ReasonTokenSource
	ReasonNoIdentity  Reason = "NoIdentity"
	ReasonNoDefault   Reason = "NoDefault"
	ReasonNotGranted  Reason = "NotGranted"
	ReasonTooMany     Reason = "TooManyIdentities"
)

// Check returns why a principal may not assume an identity, or nil if it may. identity is nil if it does not exist. Admission
// comes before readiness, so that a pod that is not admitted learns nothing of the identity's state.
func Check(principal Principal, name string, identity *v1alpha1.ManagedIdentity) *Refusal {
	if identity == nil || !identity.DeletionTimestamp.IsZero() {
		return &Refusal{name, ReasonNotFound, fmt.Sprintf(
			"ManagedIdentity %q does not exist: create it, or ask for another with the annotation %s",
			name, v1alpha1.IdentityAnnotation)}
	}
	if !Admits(identity, principal) {
		return &Refusal{name, ReasonNotAdmitted, fmt.Sprintf(
			"ManagedIdentity %q does not admit the ServiceAccount %q of namespace %q: its administrator can add them to spec.assumableBy",
			name, principal.ServiceAccount, principal.Namespace)}
	}
	ready := apimeta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return &Refusal{name, ReasonNotReady, fmt.Sprintf(
			"ManagedIdentity %q is not ready: the controller has not resolved its IDs yet", name)}
	}
	if ready.Status == metav1.ConditionTrue || v1alpha1.CanBeTried(ready.Reason) {
		return nil
	}
	if ready.Reason == v1alpha1.ReasonTokenSource {
		return &Refusal{name, ReasonTokenSource, fmt.Sprintf("ManagedIdentity %q has no tokens: %s", name, ready.Message)}
	}
	return &Refusal{name, ReasonNotReady, fmt.Sprintf("ManagedIdentity %q is not ready: %s", name, ready.Message)}
}

// tooMany refuses the whole request: granting a part of it would be arbitrary.
func tooMany() Refusal {
	return Refusal{Reason: ReasonTooMany, Message: fmt.Sprintf("the pod asks for more than %d identities: ask for fewer", MaxIdentities)}
}

// Admits reports whether an identity admits the principal's ServiceAccount.
func Admits(identity *v1alpha1.ManagedIdentity, principal Principal) bool {
	return slices.ContainsFunc(identity.Spec.AssumableBy, func(admission v1alpha1.Admission) bool {
		return matchesName(admission.ServiceAccounts, principal.ServiceAccount) &&
			admitsNamespace(admission, principal)
	})
}

// CheckAdmissions rejects invalid selectors, which the CRD's own rules cannot.
func CheckAdmissions(identity *v1alpha1.ManagedIdentity) error {
	for i, admission := range identity.Spec.AssumableBy {
		if _, err := metav1.LabelSelectorAsSelector(admission.NamespaceSelector); err != nil {
			return fmt.Errorf("spec.assumableBy[%d].namespaceSelector: %w", i, err)
		}
	}
	return nil
}

// SelectedLabels returns the names of the labels of namespaces that an identity's selectors mention.
func SelectedLabels(identity *v1alpha1.ManagedIdentity) []string {
	var names []string
	for _, admission := range identity.Spec.AssumableBy {
		if selector := admission.NamespaceSelector; selector != nil {
			names = slices.AppendSeq(names, maps.Keys(selector.MatchLabels))
			for _, expression := range selector.MatchExpressions {
				names = append(names, expression.Key)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func admitsNamespace(admission v1alpha1.Admission, principal Principal) bool {
	if admission.NamespaceSelector == nil {
		return matchesName(admission.Namespaces, principal.Namespace)
	}
	selector, err := metav1.LabelSelectorAsSelector(admission.NamespaceSelector)
	if err != nil {
		// The webhook rejects such a selector. One that got past it admits no pod.
		return false
	}
	return selector.Matches(labels.Set(principal.NamespaceLabels))
}

// matchesName reports whether names contains name or "*".
func matchesName(names []string, name string) bool {
	return slices.Contains(names, name) || slices.Contains(names, "*")
}
