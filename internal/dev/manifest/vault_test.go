package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A Secret's entries are secrets of the vault that its label names, as an API server reads them.
func TestSecretsOfVaults(t *testing.T) {
	t.Parallel()
	got, err := Parse("shop", File{"file", []byte(document("KeyVault", "orders") +
		core("Secret", "orders, labels: {kube-imds.io/key-vault: orders}", "data: {a: eA==, b: eQ==}\nstringData: {b: z, c: '1'}"))})
	if err != nil {
		t.Fatal(err)
	}
	want := []Secret{{"shop", "orders", "a", "x"}, {"shop", "orders", "b", "z"}, {"shop", "orders", "c", "1"}}
	if diff := cmp.Diff(want, got.Secrets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if vault := got.Vaults[0]; vault.Namespace != "shop" || vault.Spec.SoftDeleteRetentionInDays != 90 {
		t.Errorf("the vault, with its defaults, is %+v", vault)
	}
}

// Beside it is in the vault's namespace, as in a cluster.
func TestRoleAssignmentIsBesideItsVault(t *testing.T) {
	t.Parallel()
	const spec = "spec: {principal: {identity: a}, role: Key Vault Reader, scope: {keyVault: orders}}"
	assignment := strings.Replace(document("RoleAssignment", "reads", spec), "{name: reads}", "{name: reads, namespace: elsewhere}", 1)
	_, err := Parse("shop", File{"file", []byte(document("KeyVault", "orders") + assignment)})
	if want := `RoleAssignment "reads": there is no KeyVault "orders" in namespace "elsewhere"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want %q", err, want)
	}
}
