package role

import (
	"slices"
	"testing"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestFindAction(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Action{
		"get secret": GetSecret, "List Secrets": ReadSecretMetadata, "sign": Sign, "get rotation policy": ReadRotationPolicy,
		"microsoft.keyvault/vaults/secrets/getsecret/action": GetSecret, "get": "", "": "",
	} {
		if got, found := FindAction(text); got != want || found != (want != "") {
			t.Errorf("%q: %q, %t", text, got, found)
		}
	}
}

// Each operation is named once, and some role allows it.
func TestOperations(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, one := range Operations() {
		if seen[one.Words] || seen[string(one.Action)] {
			t.Errorf("%q is named twice", one.Words)
		}
		seen[one.Words], seen[string(one.Action)] = true, true
		if !Has(Narrowest(one.Action), one.Action) {
			t.Errorf("%q: the role is %q", one.Words, Narrowest(one.Action))
		}
	}
}

// The narrowest role has the fewest actions of all that allow one.
func TestNarrowest(t *testing.T) {
	t.Parallel()
	for action, want := range map[Action]v1alpha1.RoleName{
		GetSecret: v1alpha1.KeyVaultSecretsUser, ReadSecretMetadata: v1alpha1.KeyVaultReader, SetSecret: v1alpha1.KeyVaultSecretsOfficer,
		Sign: v1alpha1.KeyVaultCryptoUser, ReadKey: v1alpha1.KeyVaultReader, CreateKey: v1alpha1.KeyVaultCryptoOfficer,
		PurgeCertificate: v1alpha1.KeyVaultCertificatesOfficer, "Microsoft.Other/read": "",
	} {
		if got := Narrowest(action); got != want {
			t.Errorf("%s: %q, want %q", action, got, want)
		}
	}
	for role := range actions {
		if !slices.Contains(narrow, role) {
			t.Errorf("%s is not among the roles", role)
		}
	}
}
