package install

// The environment variables that the chart sets from the downward API.
const (
	PodNamespace = "POD_NAMESPACE"
	NodeName     = "NODE_NAME"
)

// SignerTokenFile is where the chart mounts an issuer's ServiceAccount token for the signer.
const SignerTokenFile = "/var/run/secrets/kube-imds.io/signer/token"
