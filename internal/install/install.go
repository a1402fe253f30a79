// Package install names the objects of an installation, so that no two parts disagree (docs/design/parts.md).
package install

import (
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Names are those of one installation.
type Names struct {
	// Name is the installation's full name, which its objects begin with, and Namespace where they are.
	Name, Namespace string
}

// Object is the key of the object NAME-SUFFIX.
func (n Names) Object(suffix string) client.ObjectKey {
	return client.ObjectKey{Namespace: n.Namespace, Name: n.Name + "-" + suffix}
}

// CA holds the authority: the key of its Secret and of its ConfigMap.
func (n Names) CA() client.ObjectKey { return n.Object("ca") }

// Trust is the name of the ConfigMap, in every namespace, of the authorities that sidecars trust.
func (n Names) Trust() string { return n.Name + "-trust" }

// SigningKeys is the Secret of the keys that sign tokens.
func (n Names) SigningKeys() client.ObjectKey { return n.Object("signing-keys") }

// Keys is the ConfigMap of what is published of them.
func (n Names) Keys() client.ObjectKey { return n.Object("keys") }

// Services are the DNS names of a part's Service, the one to use first.
func (n Names) Services(part string) []string {
	name := fmt.Sprintf("%s-%s.%s.svc", n.Name, part, n.Namespace)
	return []string{name, name + ".cluster.local"}
}

// Serving are the parts that serve with a certificate of the installation's authority.
var Serving = []string{"webhook", "issuer", "signer", "oidc"}

// Served are the DNS names of all parts that serve.
func (n Names) Served() []string {
	var names []string
	for _, part := range Serving {
		names = append(names, n.Services(part)...)
	}
	return names
}

// AuthorityURL is where the authority's certificates are, in the clear: they are verified by themselves.
func (n Names) AuthorityURL() string { return "http://" + n.Services("oidc")[0] }

// URL is where a part's Service is.
func (n Names) URL(part string) string { return "https://" + n.Services(part)[0] }

// Username is the user name of a part's ServiceAccount.
func (n Names) Username(part string) string {
	return fmt.Sprintf("system:serviceaccount:%s:%s-%s", n.Namespace, n.Name, part)
}
