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

// SkipContainersAnnotation on a pod has the names of containers that get nothing, separated by semicolons.
const SkipContainersAnnotation = "azure.workload.identity/skip-containers"

// The environment variables that SDKs read.
const (
	ClientIDVariable      = "AZURE_CLIENT_ID"
	TenantIDVariable      = "AZURE_TENANT_ID"
	TokenFileVariable     = "AZURE_FEDERATED_TOKEN_FILE"
	AuthorityHostVariable = "AZURE_AUTHORITY_HOST"
)

// The volume with the assertion: its name is the prefix and a hash of the pod's name, or, before version 1.6, OldVolume. It is mounted
// into containers at MountFolder, and has the assertion at TokenPath.
const (
	VolumePrefix = "azure-workload-identity-reserved-"
	OldVolume    = "azure-identity-token"
	MountFolder  = "/var/run/secrets/azure/wi"
	TokenPath    = "token/azure-identity-token"
)

// AuthoritiesPath is where the volume has the certificates of an authority that is not Entra ID's.
const AuthoritiesPath = "ca-cert/ca.crt"

// ProxyContainers are the sidecar that imitates IMDS and its init container.
var ProxyContainers = []string{"azwi-proxy-init", "azwi-proxy"}

// ProxyImage is part of the names of the proxy's images.
const ProxyImage = "workload-identity/proxy"

// The bounds and the default of ExpirationAnnotation, in seconds.
const (
	DefaultExpiration = 3600
	MinExpiration     = 3600
	MaxExpiration     = 86400
)
