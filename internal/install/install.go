// Package install names the objects of an installation, so that all parts agree (docs/design/parts.md).
package install

import (
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Part is a part of an installation. Its own objects are named NAME-PART, its binary and image PART.
type Part string

// The parts that have a certificate of the installation's authority, and the controller, which serves as Webhook.
const (
	Controller Part = "controller"
	Webhook    Part = "webhook"
	Issuer     Part = "issuer"
	Signer     Part = "signer"
	OIDC       Part = "oidc"
	KeyVault   Part = "keyvault"

	// StorageGate is the gate before the storage accounts, and Azurite what is behind it, in the same pod.
	StorageGate Part = "storage-gate"
	Azurite     Part = "azurite"
)

// Names are the names of one installation.
type Names struct {
	// Name is the prefix of its objects' names, and Namespace their namespace.
	Name, Namespace string
}

// CA returns the key of the authority's Secret and ConfigMap.
func (n Names) CA() client.ObjectKey { return n.object("ca") }

// Trust returns the name of the ConfigMap, in every namespace, with the authorities that sidecars trust.
func (n Names) Trust() string { return n.Name + "-trust" }

// SigningKeys returns the key of the Secret with the keys that sign tokens.
func (n Names) SigningKeys() client.ObjectKey { return n.object("signing-keys") }

// Keys returns the key of the ConfigMap that publishes them.
func (n Names) Keys() client.ObjectKey { return n.object("keys") }

// FederationKeys is the Secret with the keys that sign assertions for Entra ID.
func (n Names) FederationKeys() client.ObjectKey { return n.object("federation-keys") }

// Federation is the ConfigMap with the public part of the federation issuer. Its annotations say what assertions look like.
func (n Names) Federation() client.ObjectKey { return n.object("federation") }

// Services returns the DNS names of a part's Service, the preferred one first.
func (n Names) Services(part Part) []string {
	name := fmt.Sprintf("%s-%s.%s.svc", n.Name, part, n.Namespace)
	return []string{name, name + ".cluster.local"}
}

// VaultService is the name of the headless Service by which vaults have host names.
const VaultService = "vault"

// Domain returns what the host names end in that resources have by a headless Service.
func (n Names) Domain(service string) string { return service + "." + n.Namespace + ".svc" }

// Vaults returns the DNS names of all vaults, as patterns.
func (n Names) Vaults() []string { return n.below([]string{VaultService}) }

// StorageServices are the services of a storage account. The headless Services by which accounts have host names are named like them.
var StorageServices = []string{"blob", "queue", "table"}

// StorageAccounts returns the DNS names of all storage accounts, as patterns.
func (n Names) StorageAccounts() []string { return n.below(StorageServices) }

// below returns patterns of the DNS names that resources have by headless Services.
func (n Names) below(services []string) []string {
	var names []string
	for _, service := range services {
		names = append(names, "*."+n.Domain(service), "*."+n.Domain(service)+".cluster.local")
	}
	return names
}

// Served returns the DNS names of all serving parts, and the domains of vaults and storage accounts.
func (n Names) Served() []string {
	var names []string
	for _, service := range append([]string{VaultService}, StorageServices...) {
		names = append(names, n.Domain(service), n.Domain(service)+".cluster.local")
	}
	for _, part := range []Part{Webhook, Issuer, Signer, OIDC} {
		names = append(names, n.Services(part)...)
	}
	return names
}

// AuthorityURL returns the URL of the authority's certificates. It is plain HTTP: certificates are verified by themselves.
func (n Names) AuthorityURL() string { return "http://" + n.Services(OIDC)[0] }

// URL returns the URL of a part's Service.
func (n Names) URL(part Part) string { return "https://" + n.Services(part)[0] }

// ServiceAccount returns the name of a part's ServiceAccount.
func (n Names) ServiceAccount(part Part) string { return fmt.Sprintf("%s-%s", n.Name, part) }

// Username returns the user name of a part's ServiceAccount.
func (n Names) Username(part Part) string {
	return fmt.Sprintf("system:serviceaccount:%s:%s", n.Namespace, n.ServiceAccount(part))
}

func (n Names) object(suffix string) client.ObjectKey {
	return client.ObjectKey{Namespace: n.Namespace, Name: n.Name + "-" + suffix}
}
