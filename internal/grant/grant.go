// Package grant decides which managed identities a pod may assume, which one is its default, and if none, why.
//
// Decide is pure. Load reads what a decision depends on from a Reader. The webhook, the issuer, the signer and the command
// line use the same two functions, so that they all come to the same answer.
package grant

import (
	"slices"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Grant is what one pod may assume.
type Grant struct {
	// Source is where the pod's identities were asked for.
	Source Source

	// Identities are the granted identities in the order of the request. Each is ready.
	Identities []*v1alpha1.ManagedIdentity

	// Default is the identity of requests that select none; nil if there is no default.
	Default *v1alpha1.ManagedIdentity

	// Refusals are the other identities of the request, in its order.
	Refusals []Refusal

	// Pending are the refused identities that will be granted once they are ready.
	Pending []*v1alpha1.ManagedIdentity

	// defaultName is the requested default, granted or not; "" if no identity is preferred.
	defaultName string
}

// Source is where a pod's identities were asked for.
type Source string

// The sources in order of precedence.
const (
	SourcePodAnnotation            Source = "PodAnnotation"
	SourceServiceAccountAnnotation Source = "ServiceAccountAnnotation"
	SourceBinding                  Source = "IdentityBinding"
	SourceWorkloadIdentity         Source = "WorkloadIdentity"
	SourceNone                     Source = "None"
)

// Principal is what a decision depends on of a pod.
type Principal struct {
	// Namespace and NamespaceLabels are the pod's namespace and its labels.
	Namespace       string
	NamespaceLabels map[string]string

	// ServiceAccount is the name of the pod's ServiceAccount.
	ServiceAccount string

	// HostNetwork reports whether the pod is in its node's network.
	HostNetwork bool

	// PodAnnotations and ServiceAccountAnnotations are the annotations of both.
	PodAnnotations            map[string]string
	ServiceAccountAnnotations map[string]string
}

// MaxIdentities bounds the identities that a pod can ask for, and so the lookups that it causes.
const MaxIdentities = 32

// Lookup returns the identity with a name, or nil if there is none.
type Lookup func(name string) (*v1alpha1.ManagedIdentity, error)

// Among returns a Lookup in a list.
func Among(identities ...*v1alpha1.ManagedIdentity) Lookup {
	return func(name string) (*v1alpha1.ManagedIdentity, error) {
		i := slices.IndexFunc(identities, func(one *v1alpha1.ManagedIdentity) bool { return one.Name == name })
		if i < 0 {
			return nil, nil
		}
		return identities[i], nil
	}
}

// Decide returns the grant of a principal with the bindings of its namespace. The error is that of a lookup.
func Decide(principal Principal, lookup Lookup, bindings []v1alpha1.IdentityBinding) (Grant, error) {
	if denial := deny(principal); denial != nil {
		return Grant{Refusals: []Refusal{*denial}}, nil
	}
	asked, err := ask(principal, lookup, bindings)
	if err != nil {
		return Grant{}, err
	}
	if len(asked.names) > MaxIdentities {
		return Grant{Source: asked.source, Refusals: []Refusal{tooMany()}}, nil
	}
	grant := Grant{Source: asked.source, defaultName: asked.defaultName}
	for _, name := range asked.names {
		identity, err := lookup(name)
		if err != nil {
			return Grant{}, err
		}
		if refusal := asked.check(principal, name, identity); refusal != nil {
			grant.Refusals = append(grant.Refusals, *refusal)
			if refusal.Temporary() {
				grant.Pending = append(grant.Pending, identity)
			}
			continue
		}
		grant.Identities = append(grant.Identities, identity)
		if name == asked.defaultName {
			grant.Default = identity
		}
	}
	return grant, nil
}
