package grant

import (
	"fmt"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// MaxAnnotation bounds the value of an IdentityAnnotation, in bytes: MaxIdentities names of 253 letters have room.
const MaxAnnotation = 16 << 10

// LabelsCut is the one label that a cache leaves of a namespace that has too many of them. What a selector would say of the
// others are unknown, so nothing is granted.
const LabelsCut = "kube-imds.io/labels-cut"

// Reasons for which a pod is granted nothing at all.
const (
	ReasonHostNetwork Reason = "HostNetwork"
	ReasonTooLarge    Reason = "TooLarge"
)

// Denied is why nothing at all is granted, if that is so.
func (g Grant) Denied() *Refusal {
	if len(g.Refusals) == 1 && g.Refusals[0].Identity == "" {
		return &g.Refusals[0]
	}
	return nil
}

// deny looks at what a principal is, before it is looked at what it asks for.
func deny(principal Principal) *Refusal {
	if principal.HostNetwork {
		return &Refusal{Reason: ReasonHostNetwork,
			Message: "a pod with hostNetwork has no network of its own for 169.254.169.254: remove hostNetwork"}
	}
	for whose, annotations := range map[string]map[string]string{
		"pod": principal.PodAnnotations, "ServiceAccount": principal.ServiceAccountAnnotations,
	} {
		if len(annotations[v1alpha1.IdentityAnnotation]) > MaxAnnotation {
			return &Refusal{Reason: ReasonTooLarge, Message: fmt.Sprintf("the annotation %s of the %s is longer than %d bytes",
				v1alpha1.IdentityAnnotation, whose, MaxAnnotation)}
		}
	}
	if _, cut := principal.NamespaceLabels[LabelsCut]; cut {
		return &Refusal{Reason: ReasonTooLarge, Message: fmt.Sprintf(
			"the labels of namespace %q are too many to decide by: remove some", principal.Namespace)}
	}
	return nil
}
