package grant

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Selector names one of a pod's identities, as a token request does: by at most one of its IDs. The zero Selector
// stands for the default.
type Selector struct {
	ClientID   string
	ObjectID   string
	ResourceID string
}

// Select finds the granted identity that a token request names, or says why there is none.
func (g Grant) Select(selector Selector) (*v1alpha1.ManagedIdentity, *Refusal) {
	if denial := g.Denied(); denial != nil {
		return nil, denial
	}
	if selector == (Selector{}) {
		return g.selectDefault()
	}
	if i := slices.IndexFunc(g.Identities, selector.Matches); i >= 0 {
		return g.Identities[i], nil
	}
	return nil, g.withAnyNotReady(&Refusal{Reason: ReasonNotGranted,
		Message: "no identity granted to this pod has the requested ID"})
}

func (g Grant) selectDefault() (*v1alpha1.ManagedIdentity, *Refusal) {
	if g.Default != nil {
		return g.Default, nil
	}
	if len(g.Identities) == 0 && len(g.Refusals) == 0 {
		return nil, &Refusal{Reason: ReasonNoIdentity, Message: fmt.Sprintf(
			"the pod asks for no identity: set the annotation %s, or create an IdentityBinding", v1alpha1.IdentityAnnotation)}
	}
	for i, refusal := range g.Refusals {
		if refusal.Identity == g.defaultName {
			return nil, &g.Refusals[i]
		}
	}
	return nil, &Refusal{Reason: ReasonNoDefault,
		Message: "the pod has several identities and no default: select one in the request, or set defaultIdentity in the IdentityBinding"}
}

// withAnyNotReady prefers a refusal that will pass: an identity that is not ready may have no IDs yet, so it may
// well be the one that was asked for.
func (g Grant) withAnyNotReady(otherwise *Refusal) *Refusal {
	if i := slices.IndexFunc(g.Refusals, func(r Refusal) bool { return r.Temporary() }); i >= 0 {
		return &g.Refusals[i]
	}
	return otherwise
}

// Matches reports whether an identity has the ID.
func (s Selector) Matches(identity *v1alpha1.ManagedIdentity) bool {
	return (s.ClientID == "" || strings.EqualFold(s.ClientID, string(identity.Status.ClientID))) &&
		(s.ObjectID == "" || strings.EqualFold(s.ObjectID, string(identity.Status.PrincipalID))) &&
		(s.ResourceID == "" || strings.EqualFold(s.ResourceID, identity.Status.ResourceID))
}
