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

// actions are the data actions of Azure's built-in roles; a * stands for any part of a name
// (learn.microsoft.com/azure/role-based-access-control/built-in-roles/security).
var actions = map[v1alpha1.BuiltInRole][]string{
	v1alpha1.KeyVaultAdministrator:  {"Microsoft.KeyVault/vaults/*"},
	v1alpha1.KeyVaultSecretsOfficer: {"Microsoft.KeyVault/vaults/secrets/*"},
	v1alpha1.KeyVaultSecretsUser:    {string(GetSecret), string(ReadSecretMetadata)},
	v1alpha1.KeyVaultReader:         {"Microsoft.KeyVault/vaults/*/read", string(ReadSecretMetadata)},
}

// Scope is a vault, or one object in it.
type Scope struct {
	Namespace, KeyVault string

	// Secret is the name of a secret; "" for the vault itself.
	Secret string
}

// Assignment is a role that a principal has at a scope.
type Assignment struct {
	// Principal is an object ID.
	Principal string
	Role      v1alpha1.BuiltInRole
	Scope     Scope
}

// Decide reports whether a principal may carry out an action at a scope: whether an assignment of it has the action, there or above.
func Decide(assignments []Assignment, principal string, action Action, at Scope) bool {
	return slices.ContainsFunc(assignments, func(one Assignment) bool {
		return strings.EqualFold(one.Principal, principal) && one.Scope.covers(at) && Has(one.Role, action)
	})
}

// Has reports whether a role has an action.
func Has(role v1alpha1.BuiltInRole, action Action) bool {
	return slices.ContainsFunc(actions[role], func(pattern string) bool { return matches(pattern, string(action)) })
}

// covers reports whether a scope is another one, or above it. Names of objects have no case.
func (s Scope) covers(other Scope) bool {
	return s.Namespace == other.Namespace && s.KeyVault == other.KeyVault &&
		(s.Secret == "" || strings.EqualFold(s.Secret, other.Secret))
}

// matches reports whether a name matches a pattern with at most one *, which stands for one part or more.
func matches(pattern, name string) bool {
	before, after, found := strings.Cut(pattern, "*")
	if !found {
		return pattern == name
	}
	return len(name) > len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after)
}
