// Package workloadidentity has what manifests for azure-workload-identity say, the project that AKS has built in: its labels
// and annotations, and what its webhook puts into a pod (tokens.md section 4).
package workloadidentity

// UseLabel on a pod, with the value "true", asks for workload identity.
const UseLabel = "azure.workload.identity/use"

// The annotations of ServiceAccounts. A pod's ExpirationAnnotation takes the place of its ServiceAccount's.
const (
	// ClientIDAnnotation has the client ID of the identity.
	ClientIDAnnotation = "azure.workload.identity/client-id"

	// TenantIDAnnotation has the Entra tenant's ID.
	TenantIDAnnotation = "azure.workload.identity/tenant-id"

	// ExpirationAnnotation is how long the projected ServiceAccount token is valid, in seconds.
	ExpirationAnnotation = "azure.workload.identity/service-account-token-expiration"
)

// The annotations of pods.
const (
	// SkipContainersAnnotation has the names of containers that get nothing, separated by semicolons.
	SkipContainersAnnotation = "azure.workload.identity/skip-containers"

	// InjectProxyAnnotation asks, with any value, for a sidecar that imitates IMDS, and an init container that redirects to it.
	InjectProxyAnnotation = "azure.workload.identity/inject-proxy-sidecar"
)

// The environment variables that SDKs read.
const (
	ClientIDVariable      = "AZURE_CLIENT_ID"
	TenantIDVariable      = "AZURE_TENANT_ID"
	TokenFileVariable     = "AZURE_FEDERATED_TOKEN_FILE"
	AuthorityHostVariable = "AZURE_AUTHORITY_HOST"
)

// The folder that is mounted into containers, and the file with the assertion in it.
const (
	MountName   = "azure-identity-token"
	MountFolder = "/var/run/secrets/azure/wi"
	TokenPath   = "token/azure-identity-token"
)

// The bounds and the default of ExpirationAnnotation, in seconds.
const (
	DefaultExpiration = 3600
	MinExpiration     = 3600
	MaxExpiration     = 86400
)
