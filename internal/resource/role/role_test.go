package role

import (
	"testing"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestRolesHaveAzuresActions(t *testing.T) {
	t.Parallel()
	all := []Action{GetSecret, SetSecret, ReadSecretMetadata, UpdateSecret, DeleteSecret, BackupSecret, RestoreSecret, RecoverSecret, PurgeSecret}
	for role, want := range map[v1alpha1.BuiltInRole][]Action{
		v1alpha1.KeyVaultAdministrator:  all,
		v1alpha1.KeyVaultSecretsOfficer: all,
		v1alpha1.KeyVaultSecretsUser:    {GetSecret, ReadSecretMetadata},
		v1alpha1.KeyVaultReader:         {ReadSecretMetadata},
		"Owner":                         nil,
	} {
		wanted := map[Action]bool{}
		for _, action := range want {
			wanted[action] = true
		}
		for _, action := range all {
			if got := Has(role, action); got != wanted[action] {
				t.Errorf("%s has %s: %t", role, action, got)
			}
		}
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	vault := Scope{Namespace: "shop", KeyVault: "orders"}
	secret := Scope{Namespace: "shop", KeyVault: "orders", Secret: "Greeting"}
	assignments := []Assignment{
		{"reader", v1alpha1.KeyVaultSecretsUser, secret},
		{"officer", v1alpha1.KeyVaultSecretsOfficer, vault},
	}
	for name, test := range map[string]struct {
		principal string
		action    Action
		at        Scope
		want      bool
	}{
		"at the vault, for a secret":        {"officer", SetSecret, secret, true},
		"at the vault, for the vault":       {"officer", ReadSecretMetadata, vault, true},
		"at the secret":                     {"reader", GetSecret, secret, true},
		"names and principals have no case": {"READER", GetSecret, Scope{"shop", "orders", "greeting"}, true},
		"at the secret, for the vault":      {"reader", ReadSecretMetadata, vault, false},
		"at the secret, for another one":    {"reader", GetSecret, Scope{"shop", "orders", "other"}, false},
		"at the secret, another action":     {"reader", SetSecret, secret, false},
		"another principal":                 {"stranger", GetSecret, secret, false},
		"another vault":                     {"officer", SetSecret, Scope{"shop", "bills", "Greeting"}, false},
		"a vault of another namespace":      {"officer", SetSecret, Scope{"bank", "orders", "Greeting"}, false},
		"nobody":                            {"", GetSecret, secret, false},
	} {
		if got := Decide(assignments, test.principal, test.action, test.at); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}
