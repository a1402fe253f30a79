package grant

import (
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// request is what a pod asks for, before anything is granted.
type request struct {
	source      Source
	names       []string
	defaultName string
}

// ask finds what the pod asks for. The first source that names an identity decides alone, so that a pod can ask
// for fewer identities than its ServiceAccount is bound to, and for others that admit it.
func ask(principal Principal, identities Identities, bindings []v1alpha1.IdentityBinding) request {
	if names := ParseNames(principal.PodAnnotations[v1alpha1.IdentityAnnotation]); len(names) > 0 {
		return request{SourcePodAnnotation, names, names[0]}
	}
	if names := ParseNames(principal.ServiceAccountAnnotations[v1alpha1.IdentityAnnotation]); len(names) > 0 {
		return request{SourceServiceAccountAnnotation, names, names[0]}
	}
	names, defaults := bound(principal, bindings)
	if len(names) == 0 {
		return request{source: SourceNone}
	}
	return request{SourceBinding, names, defaultOf(names, defaults, identities)}
}

// maxName is one more byte than a name of Kubernetes may have. A longer one is cut there, and is still that of nothing.
const maxName = 254

// ParseNames reads the value of an IdentityAnnotation: names separated by commas, each counted once. It stops at one name
// more than there may be.
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

// bound collects the identities that bindings map the principal to, and the defaults they name. The bindings are
// read in the order of their names, so that the answer does not hang on the order of a list.
func bound(principal Principal, bindings []v1alpha1.IdentityBinding) (names, defaults []string) {
	ordered := slices.SortedFunc(slices.Values(bindings), func(a, b v1alpha1.IdentityBinding) int {
		return strings.Compare(a.Name, b.Name)
	})
	for _, binding := range ordered {
		if binding.Namespace != principal.Namespace || !binding.DeletionTimestamp.IsZero() ||
			!matchesName(binding.Spec.ServiceAccounts, principal.ServiceAccount) {
			continue
		}
		names = appendNew(names, binding.Spec.Identities...)
		if binding.Spec.DefaultIdentity != "" {
			defaults = appendNew(defaults, binding.Spec.DefaultIdentity)
		}
		if len(names) > MaxIdentities {
			break
		}
	}
	return names, defaults
}

// defaultOf chooses as Azure does: the one that is named, else the only system-assigned one, else the only one.
// Bindings that name different defaults cancel each other, for none of them is to be preferred.
func defaultOf(names, defaults []string, identities Identities) string {
	switch {
	case len(defaults) == 1:
		return defaults[0]
	case len(defaults) > 1:
		return ""
	case len(names) == 1:
		return names[0]
	case len(names) > MaxIdentities:
		return ""
	}
	systemAssigned := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		identity := identities(name)
		return identity == nil || identity.Spec.Type != v1alpha1.SystemAssigned
	})
	if len(systemAssigned) == 1 {
		return systemAssigned[0]
	}
	return ""
}

func appendNew(names []string, more ...string) []string {
	for _, name := range more {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
