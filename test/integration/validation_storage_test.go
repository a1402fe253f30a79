package integration

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
)

func TestInvalidStorageAccountIsRefused(t *testing.T) {
	t.Parallel()
	needServer(t)
	taken(t, object(t, "StorageAccount", "default", "orders2", "null"))
	taken(t, object(t, "StorageAccount", "default", strings.Repeat("a", 24), "allowSharedKeyAccess: true"))
	for _, name := range []string{"or", strings.Repeat("a", 25), "my-orders", "my.orders"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, object(t, "StorageAccount", "default", name, "{}"), "metadata.name: must have 3 to 24 lower-case letters and digits")
		})
	}
}

// Only whole hosts of the account itself in Azure's clouds can be declared, and all of those.
func TestPublicHostsOfStorageAccounts(t *testing.T) {
	t.Parallel()
	needServer(t)
	var all []string
	for _, domain := range azurehost.StorageAccounts.Domains {
		all = append(all, "orders."+domain)
	}
	declaring := func(hosts ...string) *unstructured.Unstructured {
		return object(t, "StorageAccount", "default", "orders", "publicHosts: ["+strings.Join(hosts, ", ")+"]")
	}
	taken(t, declaring(all...))
	const own, whole = "spec.publicHosts: must begin with the account's own name", "spec.publicHosts[0]"
	for host, message := range map[string]string{
		"other.blob.core.windows.net": own, "orders2.blob.core.windows.net": own, "or.blob.core.windows.net": whole, "blob.core.windows.net": whole,
		"'*.blob.core.windows.net'": whole, "a.orders.blob.core.windows.net": whole, "orders.dfs.core.windows.net": whole, "orders.vault.azure.net": whole,
		"orders.blob.core.windows.net.example.com": whole, "'orders.blob.core.windows.net:443'": whole, "ORDERS.blob.core.windows.net": whole,
		"orders-secondary.blob.core.windows.net": whole, "kube-imds-webhook.kube-imds-system.svc": whole,
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			refused(t, declaring(host), message)
		})
	}
}

func TestScopesOfRoles(t *testing.T) {
	t.Parallel()
	needServer(t)
	spec := func(role, scope string) string {
		return "{principal: {identity: orders}, role: " + role + ", scope: {" + scope + "}}"
	}
	const blobs, secrets = "Storage Blob Data Reader", "Key Vault Secrets User"
	for name, good := range map[string]string{
		"an account":       spec(blobs, "storageAccount: orders"),
		"a container":      spec(blobs, "storageAccount: orders, container: invoices-2026"),
		"the root":         spec(blobs, "storageAccount: orders, container: $root"),
		"a queue":          spec("Storage Queue Data Message Sender", "storageAccount: orders, queue: jobs"),
		"a table":          spec("Storage Table Data Reader", "storageAccount: orders, table: Bills"),
		"a vault":          spec(secrets, "keyVault: orders"),
		"a vault's secret": spec(secrets, "keyVault: orders, secret: greeting"),
		"a vault's key":    spec("Key Vault Crypto User", "keyVault: orders, key: signing"),
		"an API":           spec("Orders.Read", "api: orders"),
		"a URL as a role":  spec("'https://orders.example/read.all'", "api: orders-2"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken(t, object(t, "RoleAssignment", "default", "right", good))
		})
	}
	const one, role, inside = "exactly one of keyVault, storageAccount and api", "a role of Storage is for a storageAccount", "at most one of container, queue and table"
	for _, test := range []struct{ name, spec, message string }{
		{"no resource", spec(blobs, ""), one},
		{"both resources", spec(blobs, "storageAccount: orders, keyVault: orders"), one},
		{"a role of storage at a vault", spec(blobs, "keyVault: orders"), role},
		{"a role of a vault at an account", spec(secrets, "storageAccount: orders"), role},
		{"a secret in an account", spec(blobs, "storageAccount: orders, secret: x"), "secrets, keys and certificates are in a keyVault"},
		{"a key in an account", spec(blobs, "storageAccount: orders, key: x"), "secrets, keys and certificates are in a keyVault"},
		{"a secret and a key", spec(secrets, "keyVault: orders, secret: x, key: x"), "at most one of secret, key and certificate"},
		{"a container in a vault", spec(secrets, "keyVault: orders, container: invoices"), inside},
		{"a container and a queue", spec(blobs, "storageAccount: orders, container: invoices, queue: jobs"), inside},
		{"a container in upper case", spec(blobs, "storageAccount: orders, container: Invoices"), "spec.scope.container"},
		{"a container with two hyphens", spec(blobs, "storageAccount: orders, container: in--voices"), "spec.scope.container"},
		{"a table with a hyphen", spec("Storage Table Data Reader", "storageAccount: orders, table: my-bills"), "spec.scope.table"},
		{"an unknown role", spec("Storage Account Contributor", "storageAccount: orders"), "role: a keyVault or a storageAccount has Azure's built-in roles"},
		{"an app role at a vault", spec("Orders.Read", "keyVault: orders"), "role: a keyVault or a storageAccount has Azure's built-in roles"},
		{"a built-in role at an API", spec(blobs, "api: orders"), "role: an api has app roles, such as Orders.Read"},
		{"an API and a vault", spec(secrets, "keyVault: orders, api: orders"), one},
		{"a secret in an API", spec("Orders.Read", "api: orders, secret: x"), "secrets, keys and certificates are in a keyVault"},
		{"a container in an API", spec("Orders.Read", "api: orders, container: invoices"), inside},
		{"an API in upper case", spec("Orders.Read", "api: Orders"), "spec.scope.api"},
		{"an empty role", spec("''", "api: orders"), "spec.role"},
		{"a role with a newline", spec(`"a\nb"`, "api: orders"), "spec.role"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			refused(t, object(t, "RoleAssignment", "default", "wrong", test.spec), test.message)
		})
	}
}
