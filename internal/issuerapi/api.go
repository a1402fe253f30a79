// Package issuerapi is what the sidecar and its node's issuer say to each other: JSON over TLS, authenticated by
// the pod-bound ServiceAccount token that the sidecar shows as a bearer token. docs/design/parts.md tells the rest.
package issuerapi

// Audience is the audience of the ServiceAccount tokens that sidecars show to issuers.
const Audience = "kube-imds.io/issuer"

// TokenSeconds is how long those tokens are valid: the least that Kubernetes gives. The issuer takes none that is valid for
// longer; Kubernetes extends only tokens of its own audiences.
const TokenSeconds = 600

// NodeHost is the name that the certificate of a node's issuer bears beside the host that all issuers share. Sidecars see by
// it that the issuer is their own node's.
func NodeHost(node, host string) string { return node + "." + host }

// The paths.
const (
	// TokenPath takes a POST of a TokenRequest and answers with a TokenResponse.
	TokenPath = "/v1/token"

	// IdentityPath takes a POST of an IdentityRequest and answers with an Identity.
	IdentityPath = "/v1/identity"

	// InstancePath takes a GET and answers with the pod's Instance.
	InstancePath = "/v1/instance"

	// AttestationPath takes a POST of an AttestationRequest and answers with an AttestationResponse.
	AttestationPath = "/v1/attestation"

	// LoadBalancerPath takes a GET and answers with the pod's LoadBalancer.
	LoadBalancerPath = "/v1/loadbalancer"

	// EventsPath takes a GET and answers with the pod's Events.
	EventsPath = "/v1/events"

	// GrantPath takes a GET and answers with the pod's Grant. With If-None-Match it answers when the grant has
	// changed, or with 304 after GrantWaitSeconds.
	GrantPath = "/v1/grant"
)

// GrantWaitSeconds is how long a request to GrantPath is held at most.
const GrantWaitSeconds = 50

// The bounds of bodies. An answer may hold all of a pod's labels and annotations, which Kubernetes bounds at 256 KiB,
// with every character escaped.
const (
	MaxRequestBytes = 64 << 10
	MaxAnswerBytes  = 2 << 20
)

// TokenRequest asks for a token. At most one of the IDs is set; with none, the default identity is meant.
type TokenRequest struct {
	// Resource is the audience of the token, to the letter.
	Resource string `json:"resource"`

	ClientID   string `json:"client_id,omitempty"`
	ObjectID   string `json:"object_id,omitempty"`
	ResourceID string `json:"resource_id,omitempty"`

	// BypassCache asks for a token that nobody was given yet.
	BypassCache bool `json:"bypass_cache,omitempty"`
}

// TokenResponse is a token. Times are seconds since 1970 UTC.
type TokenResponse struct {
	AccessToken string `json:"access_token"`
	ClientID    string `json:"client_id"`
	NotBefore   int64  `json:"not_before"`
	ExpiresOn   int64  `json:"expires_on"`
}

// IdentityRequest asks about an identity, named as in a TokenRequest.
type IdentityRequest struct {
	ClientID   string `json:"client_id,omitempty"`
	ObjectID   string `json:"object_id,omitempty"`
	ResourceID string `json:"resource_id,omitempty"`
}

// Identity is what there is to know of an identity without a token.
type Identity struct {
	TenantID string `json:"tenant_id"`
}

// AttestationRequest asks for a signed document of who the pod is.
type AttestationRequest struct {
	// Nonce is put into the document. It may be empty.
	Nonce string `json:"nonce,omitempty"`

	// Version is that of IMDS's API, which says what the document tells.
	Version string `json:"version"`
}

// AttestationResponse is the document: PKCS #7, in DER.
type AttestationResponse struct {
	Signature []byte `json:"signature"`
}

// Error is the body of every answer that is not a success. Code and Description are fit for an application to
// see: the sidecar hands them on in IMDS's own shape.
//
// Its HTTP status is 400 for what stays wrong until somebody changes something, 401 where the ServiceAccount token
// does not authenticate the pod, 403 where it does and this issuer must not serve it, 429 with Retry-After, and 503
// with Retry-After for what will pass.
type Error struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// Grant is which identities the pod may assume now.
type Grant struct {
	// Revision changes whenever anything else in the grant does. It is the answer's ETag too, in quotes.
	Revision   string          `json:"revision"`
	Identities []GrantIdentity `json:"identities"`
}

// GrantIdentity is one granted identity.
type GrantIdentity struct {
	ClientID   string `json:"client_id"`
	ObjectID   string `json:"object_id"`
	ResourceID string `json:"resource_id"`
	Default    bool   `json:"default,omitempty"`
}

// Instance is the pod as a virtual machine: what IMDS's instance document can say of it.
// The sidecar knows of the pod's network itself.
type Instance struct {
	Name                string `json:"name"`
	ComputerName        string `json:"computer_name"`
	VMID                string `json:"vm_id"`
	VMSize              string `json:"vm_size"`
	Location            string `json:"location"`
	Zone                string `json:"zone"`
	PlatformFaultDomain string `json:"platform_fault_domain"`
	AzureEnvironment    string `json:"azure_environment"`
	SubscriptionID      string `json:"subscription_id"`
	ResourceGroupName   string `json:"resource_group_name"`
	ResourceID          string `json:"resource_id"`
	VMScaleSetName      string `json:"vm_scale_set_name"`
	VMScaleSetID        string `json:"vm_scale_set_id"`
	Tags                []Tag  `json:"tags"`
	UserData            string `json:"user_data"`
	CustomData          string `json:"custom_data"`
}

// LoadBalancer is what leads to the pod from outside. No addresses stand for no load balancer.
type LoadBalancer struct {
	PublicIPAddresses []FrontendAddress `json:"public_ip_addresses"`
	InboundRules      []InboundRule     `json:"inbound_rules"`
}

// FrontendAddress is a load balancer's address, and that of the pod behind it.
type FrontendAddress struct {
	FrontendIPAddress string `json:"frontend_ip_address"`
	PrivateIPAddress  string `json:"private_ip_address"`
}

// InboundRule leads from a load balancer's port to one of the pod's. The protocol is in lower case.
type InboundRule struct {
	FrontendIPAddress string `json:"frontend_ip_address"`
	Protocol          string `json:"protocol"`
	FrontendPort      int32  `json:"frontend_port"`
	BackendPort       int32  `json:"backend_port"`
	PrivateIPAddress  string `json:"private_ip_address"`
}

// Events is what is to become of the pod. The issuer remembers nothing of them: a sidecar keeps what was acknowledged.
type Events struct {
	PodName string `json:"pod_name"`

	// PodCreatedOn is when the pod was made, in seconds since 1970 UTC.
	PodCreatedOn int64 `json:"pod_created_on"`

	Events []Event `json:"events"`
}

// Event is a coming end of the pod.
type Event struct {
	// ID is a GUID in upper case.
	ID string `json:"id"`

	// Type is one of IMDS's, as in Redeploy, and Source Platform or User.
	Type   string `json:"type"`
	Source string `json:"source"`

	// NotBefore is in seconds since 1970 UTC.
	NotBefore   int64  `json:"not_before"`
	Description string `json:"description"`
}

// Tag is a label of the pod.
type Tag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
