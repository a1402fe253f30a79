package role

import (
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Operation is an operation of Key Vault in words, and the action that it needs.
type Operation struct {
	Words  string
	Action Action
}

// operations are in the order in which people are shown them.
var operations = []Operation{
	{"get secret", GetSecret}, {"list secrets", ReadSecretMetadata}, {"set secret", SetSecret}, {"update secret", UpdateSecret},
	{"delete secret", DeleteSecret}, {"recover secret", RecoverSecret}, {"purge secret", PurgeSecret},
	{"backup secret", BackupSecret}, {"restore secret", RestoreSecret},

	{"get key", ReadKey}, {"create key", CreateKey}, {"import key", ImportKey}, {"update key", UpdateKey},
	{"delete key", DeleteKey}, {"recover key", RecoverKey}, {"purge key", PurgeKey},
	{"backup key", BackupKey}, {"restore key", RestoreKey}, {"rotate key", RotateKey}, {"release key", ReleaseKey},
	{"encrypt", Encrypt}, {"decrypt", Decrypt}, {"wrap key", WrapKey}, {"unwrap key", UnwrapKey}, {"sign", Sign}, {"verify", Verify},
	{"get rotation policy", ReadRotationPolicy}, {"set rotation policy", WriteRotationPolicy},

	{"get certificate", ReadCertificate}, {"create certificate", CreateCertificate}, {"import certificate", ImportCertificate},
	{"update certificate", UpdateCertificate}, {"delete certificate", DeleteCertificate}, {"recover certificate", RecoverCertificate},
	{"purge certificate", PurgeCertificate}, {"backup certificate", BackupCertificate}, {"restore certificate", RestoreCertificate},
}

// Operations returns the operations of Key Vault.
func Operations() []Operation { return slices.Clone(operations) }

// FindAction returns the action of an operation in words, or of that name as Azure has it. Case makes no difference.
func FindAction(text string) (Action, bool) {
	i := slices.IndexFunc(operations, func(one Operation) bool {
		return strings.EqualFold(one.Words, text) || strings.EqualFold(string(one.Action), text)
	})
	if i < 0 {
		return "", false
	}
	return operations[i].Action, true
}

// narrow are the roles by how much they allow, the least first. Those that list come before those that read values.
var narrow = []v1alpha1.RoleName{
	v1alpha1.KeyVaultReader, v1alpha1.KeyVaultSecretsUser, v1alpha1.KeyVaultCryptoUser, v1alpha1.KeyVaultCertificateUser,
	v1alpha1.KeyVaultSecretsOfficer, v1alpha1.KeyVaultCryptoOfficer, v1alpha1.KeyVaultCertificatesOfficer, v1alpha1.KeyVaultAdministrator,
}

// Narrowest returns the role that allows the least beside an action.
func Narrowest(action Action) v1alpha1.RoleName {
	i := slices.IndexFunc(narrow, func(role v1alpha1.RoleName) bool { return Has(role, action) })
	if i < 0 {
		return ""
	}
	return narrow[i]
}
