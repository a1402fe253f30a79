package role

import (
	"slices"
	"testing"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestRolesHaveAzuresActions(t *testing.T) {
	t.Parallel()
	secrets := []Action{GetSecret, SetSecret, ReadSecretMetadata, UpdateSecret, DeleteSecret, BackupSecret, RestoreSecret, RecoverSecret, PurgeSecret}
	use := []Action{Encrypt, Decrypt, WrapKey, UnwrapKey, Sign, Verify}
	keys := append([]Action{
		ReadKey, CreateKey, ImportKey, UpdateKey, DeleteKey, BackupKey, RestoreKey, RecoverKey, PurgeKey, RotateKey, ReleaseKey,
		ReadRotationPolicy, WriteRotationPolicy,
	}, use...)
	certificates := []Action{
		ReadCertificate, CreateCertificate, ImportCertificate, UpdateCertificate, DeleteCertificate, BackupCertificate, RestoreCertificate,
		RecoverCertificate, PurgeCertificate, WriteContacts, ReadAuthority, WriteAuthority, DeleteAuthority,
	}
	all := slices.Concat(secrets, keys, certificates)
	for role, want := range map[v1alpha1.RoleName][]Action{
		v1alpha1.KeyVaultAdministrator:       all,
		v1alpha1.KeyVaultSecretsOfficer:      secrets,
		v1alpha1.KeyVaultCryptoOfficer:       keys,
		v1alpha1.KeyVaultCryptoUser:          append([]Action{ReadKey, UpdateKey, BackupKey}, use...),
		v1alpha1.KeyVaultCertificatesOfficer: certificates,
		v1alpha1.KeyVaultCertificateUser:     {ReadCertificate, GetSecret, ReadSecretMetadata, ReadKey},
		v1alpha1.KeyVaultSecretsUser:         {GetSecret, ReadSecretMetadata},
		v1alpha1.KeyVaultReader:              {ReadSecretMetadata, ReadKey, ReadCertificate, ReadRotationPolicy, ReadAuthority},
		"Owner":                              nil,
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
	secret := Scope{Namespace: "shop", KeyVault: "orders", Object: Object{"secrets", "Greeting"}}
	assignments := []Assignment{
		{"reader", v1alpha1.KeyVaultSecretsUser, secret},
		{"", v1alpha1.KeyVaultSecretsOfficer, vault},
		{"officer", v1alpha1.KeyVaultSecretsOfficer, vault},
	}
	for name, test := range map[string]struct {
		principal string
		action    Action
		at        Scope
		want      bool
	}{
		"at the vault, for a secret":           {"officer", SetSecret, secret, true},
		"at the vault, for the vault":          {"officer", ReadSecretMetadata, vault, true},
		"at the secret":                        {"reader", GetSecret, secret, true},
		"names and principals have no case":    {"READER", GetSecret, Scope{Namespace: "shop", KeyVault: "orders", Object: Object{"secrets", "greeting"}}, true},
		"at the secret, for the vault":         {"reader", ReadSecretMetadata, vault, false},
		"at the secret, for another one":       {"reader", GetSecret, Scope{Namespace: "shop", KeyVault: "orders", Object: Object{"secrets", "other"}}, false},
		"at the secret, for a key of its name": {"reader", GetSecret, Scope{Namespace: "shop", KeyVault: "orders", Object: Object{"keys", "Greeting"}}, false},
		"at the secret, another action":        {"reader", SetSecret, secret, false},
		"another principal":                    {"stranger", GetSecret, secret, false},
		"another vault":                        {"officer", SetSecret, Scope{Namespace: "shop", KeyVault: "bills", Object: Object{"secrets", "Greeting"}}, false},
		"a vault of another namespace":         {"officer", SetSecret, Scope{Namespace: "bank", KeyVault: "orders", Object: Object{"secrets", "Greeting"}}, false},
		"nobody":                               {"", GetSecret, secret, false},
	} {
		if got := Decide(assignments, test.principal, test.action, test.at); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}
