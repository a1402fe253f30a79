package v1alpha1

// The annotations and labels by which users ask for identities and for IMDS.
const (
	// IdentityAnnotation on a pod or a ServiceAccount asks for identities by name, separated by commas; the
	// first one is the default. The pod's annotation takes the place of the ServiceAccount's.
	IdentityAnnotation = "kube-imds.io/identity"

	// InjectAnnotation on a pod asks for IMDS ("true") or declines it ("false").
	InjectAnnotation = "kube-imds.io/inject"

	// InjectLabel on a namespace, with the value InjectEnabled, asks for IMDS in every pod created there.
	InjectLabel = "kube-imds.io/inject"

	// InjectEnabled is the value of InjectLabel that asks.
	InjectEnabled = "enabled"

	// UserDataAnnotation on a pod is the userData of its instance metadata, which encodes it in base64.
	UserDataAnnotation = "kube-imds.io/user-data"

	// CustomDataAnnotation on a pod is the customData of its instance metadata, which encodes it in base64.
	CustomDataAnnotation = "kube-imds.io/custom-data"

	// PortAnnotation on a pod is the loopback port behind 169.254.169.254:80, for pods that need the default port themselves.
	PortAnnotation = "kube-imds.io/port"

	// ModeAnnotation on a pod chooses how it gets IMDS; see ModeSidecar.
	ModeAnnotation = "kube-imds.io/mode"

	// TokenEndpointAnnotation on a pod, with the value "true", points SDKs that use workload identity at the cluster's own
	// token endpoint, for identities whose tokens the cluster issues (docs/workload-identity.md).
	TokenEndpointAnnotation = "kube-imds.io/token-endpoint"

	// TrustAnnotation on an injected pod, with the value "true", makes its containers trust the installation's authority beside the
	// public roots (docs/design/trusted-pods.md).
	TrustAnnotation = "kube-imds.io/trust-ca"

	// AzureHostsAnnotation on an injected pod has host names of Azure, separated by commas, that the pod is to find in the cluster,
	// such as orders.vault.azure.net and orders.blob.core.windows.net (docs/azure-hosts.md).
	AzureHostsAnnotation = "kube-imds.io/azure-hosts"

	// ModeSidecar serves IMDS at 169.254.169.254 on the pod's own loopback device.
	ModeSidecar = "sidecar"
)

// WorkloadIdentityAnnotation on a pod has the name of the identity with the client ID that the pod's ServiceAccount asks for by
// an annotation of azure-workload-identity. The webhook writes it. It asks for that identity while the client IDs are equal.
const WorkloadIdentityAnnotation = "kube-imds.io/workload-identity"

// The annotations in which the webhook records what it did. Nothing depends on them.
const (
	// InjectedAnnotation has the mode of the injected pod.
	InjectedAnnotation = "kube-imds.io/injected"

	// GrantedAnnotation has the names of the identities granted at admission, the default first.
	GrantedAnnotation = "kube-imds.io/granted"

	// WorkloadIdentityVariablesAnnotation has the variables of azure-workload-identity that were added, as CONTAINER/VARIABLE.
	WorkloadIdentityVariablesAnnotation = "kube-imds.io/workload-identity-variables"

	// NoProxyAnnotation has the names of the containers whose NO_PROXY was extended.
	NoProxyAnnotation = "kube-imds.io/no-proxy"
)
