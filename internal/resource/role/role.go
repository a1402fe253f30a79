// Package role decides what a principal may do with a resource: by role assignments, as Azure does. Decide is pure.
package role

import (
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Action is a data action, by the name that it has in Azure.
type Action string

// The data actions of secrets.
const (
	GetSecret          Action = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
	SetSecret          Action = "Microsoft.KeyVault/vaults/secrets/setSecret/action"
	ReadSecretMetadata Action = "Microsoft.KeyVault/vaults/secrets/readMetadata/action"
	UpdateSecret       Action = "Microsoft.KeyVault/vaults/secrets/update/action"
	DeleteSecret       Action = "Microsoft.KeyVault/vaults/secrets/delete"
	BackupSecret       Action = "Microsoft.KeyVault/vaults/secrets/backup/action"
	RestoreSecret      Action = "Microsoft.KeyVault/vaults/secrets/restore/action"
	RecoverSecret      Action = "Microsoft.KeyVault/vaults/secrets/recover/action"
	PurgeSecret        Action = "Microsoft.KeyVault/vaults/secrets/purge/action"
)

// The data actions of keys.
const (
	ReadKey    Action = "Microsoft.KeyVault/vaults/keys/read"
	CreateKey  Action = "Microsoft.KeyVault/vaults/keys/create/action"
	ImportKey  Action = "Microsoft.KeyVault/vaults/keys/import/action"
	UpdateKey  Action = "Microsoft.KeyVault/vaults/keys/update/action"
	DeleteKey  Action = "Microsoft.KeyVault/vaults/keys/delete"
	BackupKey  Action = "Microsoft.KeyVault/vaults/keys/backup/action"
	RestoreKey Action = "Microsoft.KeyVault/vaults/keys/restore/action"
	RecoverKey Action = "Microsoft.KeyVault/vaults/keys/recover/action"
	PurgeKey   Action = "Microsoft.KeyVault/vaults/keys/purge/action"
	RotateKey  Action = "Microsoft.KeyVault/vaults/keys/rotate/action"
	ReleaseKey Action = "Microsoft.KeyVault/vaults/keys/release/action"
	Encrypt    Action = "Microsoft.KeyVault/vaults/keys/encrypt/action"
	Decrypt    Action = "Microsoft.KeyVault/vaults/keys/decrypt/action"
	WrapKey    Action = "Microsoft.KeyVault/vaults/keys/wrap/action"
	UnwrapKey  Action = "Microsoft.KeyVault/vaults/keys/unwrap/action"
	Sign       Action = "Microsoft.KeyVault/vaults/keys/sign/action"
	Verify     Action = "Microsoft.KeyVault/vaults/keys/verify/action"

	ReadRotationPolicy  Action = "Microsoft.KeyVault/vaults/keyrotationpolicies/read"
	WriteRotationPolicy Action = "Microsoft.KeyVault/vaults/keyrotationpolicies/write"
)

// The data actions of certificates.
const (
	ReadCertificate    Action = "Microsoft.KeyVault/vaults/certificates/read"
	CreateCertificate  Action = "Microsoft.KeyVault/vaults/certificates/create/action"
	ImportCertificate  Action = "Microsoft.KeyVault/vaults/certificates/import/action"
	UpdateCertificate  Action = "Microsoft.KeyVault/vaults/certificates/update/action"
	DeleteCertificate  Action = "Microsoft.KeyVault/vaults/certificates/delete"
	BackupCertificate  Action = "Microsoft.KeyVault/vaults/certificates/backup/action"
	RestoreCertificate Action = "Microsoft.KeyVault/vaults/certificates/restore/action"
	RecoverCertificate Action = "Microsoft.KeyVault/vaults/certificates/recover/action"
	PurgeCertificate   Action = "Microsoft.KeyVault/vaults/certificates/purge/action"

	WriteContacts   Action = "Microsoft.KeyVault/vaults/certificatecontacts/write"
	ReadAuthority   Action = "Microsoft.KeyVault/vaults/certificatecas/read"
	WriteAuthority  Action = "Microsoft.KeyVault/vaults/certificatecas/write"
	DeleteAuthority Action = "Microsoft.KeyVault/vaults/certificatecas/delete"
)

// actions are the data actions of Azure's built-in roles; a * stands for any part of a name
// (learn.microsoft.com/azure/role-based-access-control/built-in-roles/security).
var actions = map[v1alpha1.RoleName][]string{
	v1alpha1.KeyVaultAdministrator:  {"Microsoft.KeyVault/vaults/*"},
	v1alpha1.KeyVaultSecretsOfficer: {"Microsoft.KeyVault/vaults/secrets/*"},
	v1alpha1.KeyVaultSecretsUser:    {string(GetSecret), string(ReadSecretMetadata)},
	v1alpha1.KeyVaultCryptoOfficer:  {"Microsoft.KeyVault/vaults/keys/*", "Microsoft.KeyVault/vaults/keyrotationpolicies/*"},
	v1alpha1.KeyVaultCryptoUser: {
		string(ReadKey), string(UpdateKey), string(BackupKey), string(Encrypt), string(Decrypt), string(WrapKey), string(UnwrapKey), string(Sign), string(Verify),
	},
	v1alpha1.KeyVaultCertificatesOfficer: {
		"Microsoft.KeyVault/vaults/certificatecas/*", "Microsoft.KeyVault/vaults/certificates/*", string(WriteContacts),
	},
	v1alpha1.KeyVaultCertificateUser: {string(ReadCertificate), string(GetSecret), string(ReadSecretMetadata), string(ReadKey)},
	v1alpha1.KeyVaultReader:          {"Microsoft.KeyVault/vaults/*/read", string(ReadSecretMetadata)},
}

// Scope is a vault, a storage account or an API, or one object in a vault or an account.
type Scope struct {
	// Namespace is that of the vault, the storage account or the API, one of which has a name.
	Namespace, KeyVault, StorageAccount, API string

	// Object is nothing for the vault, the account or the API itself.
	Object Object
}

// Object is an object in a vault or an account.
type Object struct {
	// Kind is one of the constants below.
	Kind, Name string
}

// String returns the object as it is in paths, or "".
func (o Object) String() string {
	if o == (Object{}) {
		return ""
	}
	return o.Kind + "/" + o.Name
}

// The kinds of objects.
const (
	Secrets      = "secrets"
	Keys         = "keys"
	Certificates = "certificates"
	Containers   = "containers"
	Queues       = "queues"
	Tables       = "tables"
)

// Assignment is a role that a principal has at a scope.
type Assignment struct {
	// Principal is an object ID.
	Principal string
	Role      v1alpha1.RoleName
	Scope     Scope
}

// Decide reports whether a principal may carry out an action at a scope: whether an assignment of it has the action, there or above.
func Decide(assignments []Assignment, principal string, action Action, at Scope) bool {
	return principal != "" && slices.ContainsFunc(assignments, func(one Assignment) bool {
		return strings.EqualFold(one.Principal, principal) && one.Scope.covers(at) && Has(one.Role, action)
	})
}

// Has reports whether a role has an action.
func Has(role v1alpha1.RoleName, action Action) bool {
	has := func(pattern string) bool { return matches(pattern, string(action)) }
	return slices.ContainsFunc(actions[role], has) || slices.ContainsFunc(storageActions[role], has)
}

// covers reports whether a scope is another one, or above it. Names of objects have no case.
func (s Scope) covers(other Scope) bool {
	return s.Namespace == other.Namespace && s.KeyVault == other.KeyVault && s.StorageAccount == other.StorageAccount && s.API == other.API &&
		(s.Object == Object{} || s.Object.Kind == other.Object.Kind && strings.EqualFold(s.Object.Name, other.Object.Name))
}

// matches reports whether a name matches a pattern with at most one *, which stands for one part or more.
func matches(pattern, name string) bool {
	before, after, found := strings.Cut(pattern, "*")
	if !found {
		return pattern == name
	}
	return len(name) > len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after)
}
