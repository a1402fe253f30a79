// Package grant decides which managed identities a pod may assume, which one is its default, and if none, why.
//
// It does no I/O: the webhook, the controller, the issuer and the command line all hand it what they read, and
// so all come to the same answer.
package grant

import (
	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Grant is the answer for one pod.
type Grant struct {
	// Source says where the pod's identities were asked for.
	Source Source

	// Identities are the granted ones, in the order in which they were asked for. Each is ready.
	Identities []*v1alpha1.ManagedIdentity

	// Default answers requests that name no identity. It is nil where there is none.
	Default *v1alpha1.ManagedIdentity

	// Refusals are the identities that were asked for and not granted, in the order in which they were asked for.
	Refusals []Refusal

	// defaultName is the default that was asked for, granted or not; empty where several are equally good.
	defaultName string
}

// Source says where a pod's identities were asked for.
type Source string

// The sources, from the one that counts most to the one that counts least.
const (
	SourcePodAnnotation            Source = "PodAnnotation"
	SourceServiceAccountAnnotation Source = "ServiceAccountAnnotation"
	SourceBinding                  Source = "IdentityBinding"
	SourceNone                     Source = "None"
)

// Principal is the pod, as far as the decision hangs on it.
type Principal struct {
	// Namespace and NamespaceLabels are the pod's namespace and its labels.
	Namespace       string
	NamespaceLabels map[string]string

	// ServiceAccount is the name of the pod's ServiceAccount.
	ServiceAccount string

	// HostNetwork tells whether the pod is in its node's network.
	HostNetwork bool

	// PodAnnotations and ServiceAccountAnnotations are the annotations of both.
	PodAnnotations            map[string]string
	ServiceAccountAnnotations map[string]string
}

// MaxIdentities is how many identities a pod can ask for. It bounds what one pod makes others look up.
const MaxIdentities = 32

// Identities looks an identity up by name. It answers nil where there is none.
type Identities func(name string) *v1alpha1.ManagedIdentity

// Decide computes the grant of a principal from the identities and the bindings of its namespace.
func Decide(principal Principal, identities Identities, bindings []v1alpha1.IdentityBinding) Grant {
	if denial := deny(principal); denial != nil {
		return Grant{Refusals: []Refusal{*denial}}
	}
	asked := ask(principal, identities, bindings)
	if len(asked.names) > MaxIdentities {
		return Grant{Source: asked.source, Refusals: []Refusal{tooMany()}}
	}
	grant := Grant{Source: asked.source, defaultName: asked.defaultName}
	for _, name := range asked.names {
		identity := identities(name)
		if refusal := Check(principal, name, identity); refusal != nil {
			grant.Refusals = append(grant.Refusals, *refusal)
			continue
		}
		grant.Identities = append(grant.Identities, identity)
		if name == asked.defaultName {
			grant.Default = identity
		}
	}
	return grant
}
