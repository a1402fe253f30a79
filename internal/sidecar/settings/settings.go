// Package settings names what the webhook puts into an injected pod and the sidecar reads there: subcommands, flags,
// environment variables and defaults (docs/design/parts.md, "What the webhook adds to a pod"). It has no dependencies, because the
// sidecar links it.
package settings

// The program in the sidecar's image, and its subcommands.
const (
	Program = "/sidecar"

	Serve   = "serve"
	NetInit = "net-init"
	Ready   = "ready"
)

// The flags of the subcommands, without dashes.
const (
	// Listen is where Serve listens, as "host:port".
	Listen = "listen"

	// RedirectTo is the loopback port to which NetInit redirects 169.254.169.254:80.
	RedirectTo = "redirect-to"

	// Wait is how long Ready goes on asking.
	Wait = "wait"
)

// Port is the loopback port on which the sidecar listens by default.
const Port = 15780

// The environment variables of Serve.
const (
	// IssuerURL is the address of the node's issuer, without a trailing slash.
	IssuerURL = "KUBE_IMDS_ISSUER_URL"

	// IssuerCA has the PEM certificates of the authorities that the pod trusts at first, and IssuerCAFile is the file with those
	// that it trusts once the file exists.
	IssuerCA     = "KUBE_IMDS_ISSUER_CA"
	IssuerCAFile = "KUBE_IMDS_ISSUER_CA_FILE"

	// TokenFile is the file with the pod's ServiceAccount token for the issuer.
	TokenFile = "KUBE_IMDS_TOKEN_FILE"

	// AssertionsFolder is the folder with the pod's ServiceAccount tokens for Entra ID; empty if the pod has none.
	AssertionsFolder = "KUBE_IMDS_ASSERTIONS_FOLDER"

	// AssertionFile is the file that the sidecar keeps the assertion of an identity in, for SDKs that exchange it themselves; empty
	// for none. AssertionClientID is the identity's client ID.
	AssertionFile     = "KUBE_IMDS_ASSERTION_FILE"
	AssertionClientID = "KUBE_IMDS_ASSERTION_CLIENT_ID"

	// TrustFolder is the folder that the sidecar keeps the authorities in that the pod's containers trust; empty for none.
	TrustFolder = "KUBE_IMDS_TRUST_FOLDER"

	// LogLevel is debug, info, warn or error; the default is info.
	LogLevel = "KUBE_IMDS_LOG_LEVEL"

	// Limits is LimitsAzure for the rate limits of Azure's IMDS, or empty for none.
	Limits = "KUBE_IMDS_LIMITS"

	// The pod and its node, from the downward API. PodIPs are separated by commas.
	PodName      = "POD_NAME"
	PodNamespace = "POD_NAMESPACE"
	PodIPs       = "POD_IPS"
	NodeName     = "NODE_NAME"
)

// LimitsAzure is the value of Limits for Azure's rate limits.
const LimitsAzure = "azure"

// TokenFolder is where the volume with the token and the authorities is mounted, and Token the name of the token's file there.
// Assertions is the folder there with the pod's ServiceAccount tokens for Entra ID, if it has any.
const (
	TokenFolder = "/var/run/secrets/kube-imds.io"
	Token       = "token"
	Assertions  = "assertions"
)

// What containers find below their mount of the folder with authorities, which is at TrustMount: those of the installation, all of
// these and the public roots, the same for Java, and a folder with the installation's by the names that OpenSSL looks for.
const (
	TrustMount  = "/var/run/kube-imds.io/trust"
	TrustOwn    = "ca.crt"
	TrustAll    = "bundle.crt"
	TrustJava   = "bundle.p12"
	TrustHashed = "certs"
)

// Variable is an environment variable.
type Variable struct{ Name, Value string }

// TrustVariables returns the variables by which runtimes find the folder at a path. Where a runtime adds what a variable names to what
// it trusts, that is the installation's authorities alone; where that replaces what it trusts, the public roots are there too.
func TrustVariables(path string) []Variable {
	return []Variable{
		// Go, OpenSSL and .NET read several folders. The first ones are those that they read without the variable.
		{"SSL_CERT_DIR", "/etc/ssl/certs:/etc/pki/tls/certs:" + path + "/" + TrustHashed},
		{"NODE_EXTRA_CA_CERTS", path + "/" + TrustOwn},
		{"REQUESTS_CA_BUNDLE", path + "/" + TrustAll},
		{"JAVA_TOOL_OPTIONS", "-Djavax.net.ssl.trustStore=" + path + "/" + TrustJava + " -Djavax.net.ssl.trustStoreType=PKCS12"},
	}
}
