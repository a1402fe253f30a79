// Package signerapi has the wire types between an issuer and the signer: JSON over TLS, authenticated by the issuer's own
// pod-bound ServiceAccount token, which names its node. See docs/design/parts.md.
package signerapi

// Audience is the audience of the ServiceAccount tokens that issuers show to the signer.
const Audience = "kube-imds.io/signer"

// The paths.
const (
	// TokenPath takes a POST of a TokenRequest and answers with a TokenResponse.
	TokenPath = "/v1/token"

	// AttestationPath takes a POST of an AttestationRequest and answers with an AttestationResponse.
	AttestationPath = "/v1/attestation"

	// AssertionPath takes a POST of an AssertionRequest and answers with an AssertionResponse.
	AssertionPath = "/v1/assertion"

	// OutcomePath takes a POST of an OutcomeRequest and answers with an empty object.
	OutcomePath = "/v1/outcome"
)

// The limits of bodies. The largest part of a request is the pod's ServiceAccount token.
const (
	MaxRequestBytes = 32 << 10
	MaxAnswerBytes  = 64 << 10
)

// Pod is the pod that something is signed for. It must run on the issuer's node.
type Pod struct {
	UID string `json:"pod_uid"`

	// Token is the pod's ServiceAccount token for the issuer, if the pod has sent one. The signer verifies it.
	Token string `json:"pod_token,omitempty"`
}

// TokenRequest asks for a token. The signer finds out everything else itself.
type TokenRequest struct {
	Pod

	// Identity is the name of a ManagedIdentity.
	Identity string `json:"identity"`

	// Resource is the audience of the token, unchanged.
	Resource string `json:"resource"`
}

// TokenResponse is a token. Times are seconds since 1970 UTC.
type TokenResponse struct {
	Token     string `json:"token"`
	TokenID   string `json:"token_id"`
	KeyID     string `json:"key_id"`
	NotBefore int64  `json:"not_before"`
	ExpiresOn int64  `json:"expires_on"`
}

// AttestationRequest asks for an attested document.
type AttestationRequest struct {
	Pod

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
	Pod

	// Identity is the name of a ManagedIdentity.
	Identity string `json:"identity"`
}

// AssertionResponse is an assertion. The time is in seconds since 1970 UTC.
type AssertionResponse struct {
	Assertion string `json:"assertion"`
	ExpiresOn int64  `json:"expires_on"`
}

// OutcomeRequest tells what Entra ID answered to an assertion.
type OutcomeRequest struct {
	Pod

	// Identity is the name of a ManagedIdentity.
	Identity string `json:"identity"`

	// Code is the number of the AADSTS error, if it is known. Unreachable means that Entra has not answered. Neither means that
	// it has issued a token.
	Code        int  `json:"code,omitempty"`
	Unreachable bool `json:"unreachable,omitempty"`

	// Resource is the audience of the access token.
	Resource string `json:"resource"`
}

// Error is the body of every error. Code and Description may be shown to the application; Reason and Detail are for the
// issuer's audit log. The status is 400 for what no retry changes, 401 if the issuer is not authenticated, 403 if the pod
// does not run on the issuer's node, and 429 or 503 with Retry-After for what will pass.
type Error struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
	Reason      string `json:"reason"`
	Detail      string `json:"detail"`
}
