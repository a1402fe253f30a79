package v1alpha1

// Condition types.
const (
	// ConditionReady of a ManagedIdentity means that its IDs are resolved and tokens can be issued. Of an IdentityBinding it means
	// that each of its identities exists, is ready and admits the binding's ServiceAccounts. Of a KeyVault or a StorageAccount it means
	// that its host names lead to it, and of a RoleAssignment that its principal and its scope exist; an API is no object.
	ConditionReady = "Ready"

	// ConditionFederated of a ManagedIdentity says whether Entra ID has last issued a token, and if not, why.
	ConditionFederated = "Federated"

	// ConditionPublicHosts of a KeyVault or a StorageAccount means that it has all host names of Azure that it declares.
	ConditionPublicHosts = "PublicHosts"

	// ConditionPodsInjected of a ManagedIdentity or an IdentityBinding means that every running pod of its ServiceAccounts has IMDS,
	// or declines it.
	ConditionPodsInjected = "PodsInjected"
)

// MaxFederatedMessage bounds the message of the condition Federated, in bytes.
const MaxFederatedMessage = 4 << 10

// Condition reasons.
const (
	ReasonResolved         = "Resolved"
	ReasonIDsConflict      = "IDsConflict"
	ReasonTokenSource      = "NoFederationIssuer"
	ReasonNotTried         = "NotTriedYet"
	ReasonFederated        = "Federated"
	ReasonNotFederated     = "NotFederated"
	ReasonNotPublished     = "KeysNotPublished"
	ReasonBound            = "Bound"
	ReasonIdentityNotFound = "IdentityNotFound"
	ReasonIdentityNotReady = "IdentityNotReady"
	ReasonNotAdmitted      = "NotAdmitted"
	ReasonAllInjected      = "AllPodsInjected"
	ReasonNotInjected      = "PodsNotInjected"
	ReasonServed           = "Served"
	ReasonNameTaken        = "NameTaken"
	ReasonHostTaken        = "HostTaken"
	ReasonHostNotAllowed   = "HostNotAllowed"
	ReasonHostNotCertified = "HostNotCertified"
	ReasonTooManyHosts     = "TooManyHosts"
	ReasonTooManyNames     = "TooManyNames"
	ReasonAssigned         = "Assigned"
	ReasonVaultNotFound    = "KeyVaultNotFound"
	ReasonAccountNotFound  = "StorageAccountNotFound"
	ReasonNoPrincipal      = "NoPrincipalID"
)

// CanBeTried reports whether tokens can be asked for: a federated identity is granted before Entra ID has accepted it, or else
// nobody would ever ask again.
func CanBeTried(reason string) bool { return reason == ReasonNotTried || reason == ReasonNotFederated }
