// Package issuerapi has the wire types between a sidecar and its node's issuer: JSON over TLS, authenticated by the
// pod-bound ServiceAccount token that the sidecar sends as a bearer token. See docs/design/parts.md.
package issuerapi

// Audience is the audience of the ServiceAccount tokens that sidecars send to issuers.
const Audience = "kube-imds.io/issuer"

// TokenSeconds is the validity of those tokens: the minimum that Kubernetes allows. The issuer rejects longer ones;
// Kubernetes extends tokens of its own audiences only.
const TokenSeconds = 600

// NodeHost returns the DNS name of a node's issuer, beside the host that all issuers share. By it a sidecar knows that it
// talks to its own node's issuer.
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

	// AssertionPath takes a POST of an AssertionRequest and answers with an AssertionResponse.
	AssertionPath = "/v1/assertion"

	// LoadBalancerPath takes a GET and answers with the pod's LoadBalancer.
	LoadBalancerPath = "/v1/loadbalancer"

	// EventsPath takes a GET and answers with the pod's Events.
	EventsPath = "/v1/events"

	// GrantPath takes a GET and answers with the pod's Grant. With If-None-Match it answers when the grant changes, or with
	// 304 after GrantWaitSeconds.
	GrantPath = "/v1/grant"
)

// GrantWaitSeconds is the maximum time that a request to GrantPath is held.
const GrantWaitSeconds = 50

// The limits of bodies. An answer may hold all labels and annotations of a pod, which Kubernetes limits to 256 KiB, with
// every character escaped.
const (
	MaxRequestBytes = 64 << 10
	MaxAnswerBytes  = 2 << 20
)

// TokenRequest asks for a token. At most one ID is set; none means the default identity.
type TokenRequest struct {
	// Resource is the audience of the token, unchanged.
	Resource string `json:"resource"`

	ClientID   string `json:"client_id,omitempty"`
	ObjectID   string `json:"object_id,omitempty"`
	ResourceID string `json:"resource_id,omitempty"`

	// BypassCache asks for a newly minted token.
	BypassCache bool `json:"bypass_cache,omitempty"`

	// Assertions are ServiceAccount tokens of the pod for Entra ID, one for each audience.
	Assertions []string `json:"assertions,omitempty"`
}

// MaxAssertions bounds the assertions of a request.
const MaxAssertions = 4

// TokenResponse is a token. Times are seconds since 1970 UTC.
type TokenResponse struct {
	AccessToken string `json:"access_token"`
	ClientID    string `json:"client_id"`
	NotBefore   int64  `json:"not_before"`
	ExpiresOn   int64  `json:"expires_on"`

	// RenewsOn is when the issuer replaces the token by a newer one; 0 if it does not say. Until then it returns the same token.
	RenewsOn int64 `json:"renews_on,omitempty"`
}

// IdentityRequest asks about an identity, selected as in a TokenRequest.
type IdentityRequest struct {
	ClientID   string `json:"client_id,omitempty"`
	ObjectID   string `json:"object_id,omitempty"`
	ResourceID string `json:"resource_id,omitempty"`
}

// Identity is what a pod may know of an identity without a token.
type Identity struct {
	TenantID string `json:"tenant_id"`
}

// AttestationRequest asks for an attested document.
type AttestationRequest struct {
	// Nonce goes into the document. It may be empty.
	Nonce string `json:"nonce,omitempty"`

	// Version is the api-version, which decides what the document contains.
	Version string `json:"version"`
}

// AttestationResponse holds the document: PKCS #7 in DER.
type AttestationResponse struct {
	Signature []byte `json:"signature"`
}

// AssertionRequest asks for an assertion of an identity for Entra ID.
type AssertionRequest struct {
	ClientID string `json:"client_id"`
}

// AssertionResponse is an assertion. The time is in seconds since 1970 UTC.
type AssertionResponse struct {
	Assertion string `json:"assertion"`
	ExpiresOn int64  `json:"expires_on"`
}

// Error is the body of every error. Code and Description may be shown to the application: the sidecar passes them on in
// IMDS's own shape.
//
// The status is 400 for what no retry changes, 401 if the ServiceAccount token does not authenticate the pod, 403 if this
// issuer must not serve it, 429 and 503 with Retry-After for what will pass.
type Error struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// Grant identifies what the pod may have now.
type Grant struct {
	// Revision changes whenever a token of the pod could be another one or be refused. In quotes it is also the ETag.
	Revision string `json:"revision"`
}

// Instance is the pod as a virtual machine, for IMDS's instance document. The sidecar adds the network.
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

// LoadBalancer describes how traffic reaches the pod from outside. Without addresses there is no load balancer.
type LoadBalancer struct {
	PublicIPAddresses []FrontendAddress `json:"public_ip_addresses"`
	InboundRules      []InboundRule     `json:"inbound_rules"`
}

// FrontendAddress is the address of a load balancer and of the pod behind it.
type FrontendAddress struct {
	FrontendIPAddress string `json:"frontend_ip_address"`
	PrivateIPAddress  string `json:"private_ip_address"`
}

// InboundRule maps a load balancer's port to the pod's. The protocol is in lower case.
type InboundRule struct {
	FrontendIPAddress string `json:"frontend_ip_address"`
	Protocol          string `json:"protocol"`
	FrontendPort      int32  `json:"frontend_port"`
	BackendPort       int32  `json:"backend_port"`
	PrivateIPAddress  string `json:"private_ip_address"`
}

// Events are the disruptions ahead of the pod. Sidecars keep the acknowledgements, because issuers keep no state.
type Events struct {
	PodName string `json:"pod_name"`

	// PodCreatedOn is the pod's creation in seconds since 1970 UTC.
	PodCreatedOn int64 `json:"pod_created_on"`

	Events []Event `json:"events"`
}

// Event is a coming disruption of the pod.
type Event struct {
	// ID is an upper-case GUID.
	ID string `json:"id"`

	// Type is one of IMDS's event types, such as Redeploy. Source is Platform or User.
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
