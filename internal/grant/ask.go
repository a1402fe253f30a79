package grant

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// request is what a pod asks for.
type request struct {
	source      Source
	names       []string
	defaultName string

	// workloadIdentity is the name of the identity that only an annotation of azure-workload-identity asks for; "" if there is none.
	workloadIdentity string
}

// ask returns what the pod asks for. The identity of azure-workload-identity's annotation comes on top of others, and is the
// default only if there are none.
func ask(principal Principal, lookup Lookup, bindings []v1alpha1.IdentityBinding) (request, error) {
	asked, err := askOurs(principal, lookup, bindings)
	name := workloadIdentity(principal)
	if err != nil || name == "" || slices.Contains(asked.names, name) {
		return asked, err
	}
	if asked.source == SourceNone {
		asked.source, asked.defaultName = SourceWorkloadIdentity, name
	}
	asked.names, asked.workloadIdentity = append(asked.names, name), name
	return asked, nil
}

// workloadIdentity returns the name of the identity that the webhook found by its client ID, or "".
func workloadIdentity(principal Principal) string {
	if principal.ServiceAccountAnnotations[workloadidentity.ClientIDAnnotation] == "" {
		return ""
	}
	name := principal.PodAnnotations[v1alpha1.WorkloadIdentityAnnotation]
	return name[:min(len(name), maxName)]
}

// check returns why the principal may not assume an identity that it asks for, or nil if it may.
func (r request) check(principal Principal, name string, identity *v1alpha1.ManagedIdentity) *Refusal {
	if name == r.workloadIdentity && identity != nil && !HasClientID(identity, principal.ServiceAccountAnnotations[workloadidentity.ClientIDAnnotation]) {
		return &Refusal{name, ReasonNotFound, fmt.Sprintf(
			"ManagedIdentity %q does not have the client ID of the ServiceAccount's annotation %s, which was changed since: recreate the pod",
			name, workloadidentity.ClientIDAnnotation)}
	}
	return Check(principal, name, identity)
}

// HasClientID reports whether an identity's spec has a client ID as manifests write it.
func HasClientID(identity *v1alpha1.ManagedIdentity, clientID string) bool {
	return identity.Spec.ClientID != "" && strings.EqualFold(string(identity.Spec.ClientID), strings.TrimSpace(clientID))
}

// askOurs returns what the pod asks for by annotations and bindings of kube-imds. The first source that names an identity decides
// alone, so that a pod can ask for fewer identities than its ServiceAccount is bound to, or for others.
func askOurs(principal Principal, lookup Lookup, bindings []v1alpha1.IdentityBinding) (request, error) {
	if names := ParseNames(principal.PodAnnotations[v1alpha1.IdentityAnnotation]); len(names) > 0 {
		return request{source: SourcePodAnnotation, names: names, defaultName: names[0]}, nil
	}
	if names := ParseNames(principal.ServiceAccountAnnotations[v1alpha1.IdentityAnnotation]); len(names) > 0 {
		return request{source: SourceServiceAccountAnnotation, names: names, defaultName: names[0]}, nil
	}
	names, defaults := bound(principal, bindings)
	if len(names) == 0 {
		return request{source: SourceNone}, nil
	}
	defaultName, err := defaultOf(names, defaults, lookup)
	return request{source: SourceBinding, names: names, defaultName: defaultName}, err
}

// MaxName is the length of a Kubernetes name.
const MaxName = 253

// maxName is one more: a longer name is cut there and still names nothing.
const maxName = MaxName + 1

// ParseNames parses the value of an IdentityAnnotation: unique names separated by commas. It returns MaxIdentities+1 names at
// the most.
func ParseNames(value string) []string {
	var names []string
	for name := range strings.SplitSeq(value, ",") {
		if name = strings.TrimSpace(name); len(name) > maxName {
			name = strings.ToValidUTF8(name[:maxName], "?")
		}
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) > MaxIdentities {
			break
		}
	}
	return names
}

// bound returns the identities that bindings map the principal to, and the defaults that they name, in the order of the
// bindings' names.
func bound(principal Principal, bindings []v1alpha1.IdentityBinding) (names, defaults []string) {
	for _, binding := range mapping(principal.Namespace, principal.ServiceAccount, bindings) {
		names, defaults = adding(names, defaults, binding)
		if len(names) > MaxIdentities {
			break
		}
	}
	return names, defaults
}

// Deciding returns those bindings that decide what a ServiceAccount is bound to, in the order of their names: they map it, add
// something to those before, and do not come after more identities than anybody may have. They are no more than twice that number.
func Deciding(namespace, account string, bindings []v1alpha1.IdentityBinding) []v1alpha1.IdentityBinding {
	var (
		deciding        []v1alpha1.IdentityBinding
		names, defaults []string
	)
	for _, binding := range mapping(namespace, account, bindings) {
		moreNames, moreDefaults := adding(names, defaults, binding)
		if len(moreNames) > len(names) || len(moreDefaults) > len(defaults) {
			deciding, names, defaults = append(deciding, *binding), moreNames, moreDefaults
		}
		if len(names) > MaxIdentities {
			break
		}
	}
	return deciding
}

// mapping returns the bindings that map a ServiceAccount, in the order of their names.
func mapping(namespace, account string, bindings []v1alpha1.IdentityBinding) []*v1alpha1.IdentityBinding {
	found := make([]*v1alpha1.IdentityBinding, 0, 8)
	for i := range bindings {
		if bindings[i].Namespace == namespace && Maps(&bindings[i], account) {
			found = append(found, &bindings[i])
		}
	}
	slices.SortFunc(found, func(a, b *v1alpha1.IdentityBinding) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// adding returns names and defaults with those of a binding.
func adding(names, defaults []string, binding *v1alpha1.IdentityBinding) (moreNames, moreDefaults []string) {
	names = appendNew(names, binding.Spec.Identities...)
	if binding.Spec.DefaultIdentity != "" {
		defaults = appendNew(defaults, binding.Spec.DefaultIdentity)
	}
	return names, defaults
}

// Maps reports whether a binding maps a ServiceAccount of its namespace.
func Maps(binding *v1alpha1.IdentityBinding, serviceAccount string) bool {
	return binding.DeletionTimestamp.IsZero() && matchesName(binding.Spec.ServiceAccounts, serviceAccount)
}

// defaultOf chooses the default as Azure does: the named one, else the only system-assigned one, else the only one. If bindings
// name different defaults, there is none.
func defaultOf(names, defaults []string, lookup Lookup) (string, error) {
	switch {
	case len(defaults) == 1:
		return defaults[0], nil
	case len(defaults) > 1, len(names) > MaxIdentities:
		return "", nil
	case len(names) == 1:
		return names[0], nil
	}
	var systemAssigned []string
	for _, name := range names {
		identity, err := lookup(name)
		if err != nil {
			return "", err
		}
		if identity != nil && identity.Spec.Type == v1alpha1.SystemAssigned {
			systemAssigned = append(systemAssigned, name)
		}
	}
	if len(systemAssigned) == 1 {
		return systemAssigned[0], nil
	}
	return "", nil
}

func appendNew(names []string, more ...string) []string {
	for _, name := range more {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
