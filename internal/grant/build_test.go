package grant

import (
	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// newIdentity returns a ready identity that admits no pod.
func newIdentity(name string) build.Identity { return build.NewIdentity(name).Ready() }

// lookup returns a Lookup in a list.
func lookup(all ...build.Identity) Lookup {
	var identities []*v1alpha1.ManagedIdentity
	for _, one := range all {
		identities = append(identities, one.ManagedIdentity)
	}
	return Among(identities...)
}

// newBinding returns a binding of the namespace shop.
func newBinding(name, account string, identities ...string) build.Binding {
	return build.NewBinding("shop", name).Of(account).To(identities...)
}

func bindings(all ...build.Binding) []v1alpha1.IdentityBinding {
	var list []v1alpha1.IdentityBinding
	for _, one := range all {
		list = append(list, *one.IdentityBinding)
	}
	return list
}

// cashier returns the principal of most tests: the ServiceAccount cashier of the namespace shop.
func cashier() Principal {
	return Principal{Namespace: "shop", NamespaceLabels: map[string]string{"team": "retail"}, ServiceAccount: "cashier"}
}

func (p Principal) asking(value string) Principal {
	p.PodAnnotations = map[string]string{v1alpha1.IdentityAnnotation: value}
	return p
}

func (p Principal) whoseAccountAsks(value string) Principal {
	p.ServiceAccountAnnotations = map[string]string{v1alpha1.IdentityAnnotation: value}
	return p
}

// decide decides with a lookup that never fails.
func decide(principal Principal, lookup Lookup, bindings []v1alpha1.IdentityBinding) Grant {
	decided, err := Decide(principal, lookup, bindings)
	if err != nil {
		panic(err)
	}
	return decided
}
