package v1alpha1

// Condition types.
const (
	// ConditionReady of a ManagedIdentity means that its IDs are resolved and tokens can be issued. Of an IdentityBinding it means
	// that each of its identities exists, is ready and admits the binding's ServiceAccounts.
	ConditionReady = "Ready"
)

// Condition reasons.
const (
	ReasonResolved         = "Resolved"
	ReasonIDsConflict      = "IDsConflict"
	ReasonTokenSource      = "TokenSourceNotSupported"
	ReasonBound            = "Bound"
	ReasonIdentityNotFound = "IdentityNotFound"
	ReasonIdentityNotReady = "IdentityNotReady"
	ReasonNotAdmitted      = "NotAdmitted"
)
