// Package signerapi is what an issuer and the signer say to each other: JSON over TLS, authenticated by the issuer's own
// pod-bound ServiceAccount token, which says the node that it speaks for. docs/design/parts.md tells the rest.
package signerapi

// Audience is the audience of the ServiceAccount tokens that issuers show to the signer.
const Audience = "kube-imds.io/signer"

// The paths.
const (
	// TokenPath takes a POST of a TokenRequest and answers with a TokenResponse.
	TokenPath = "/v1/token"

	// AttestationPath takes a POST of an AttestationRequest and answers with an AttestationResponse.
	AttestationPath = "/v1/attestation"
)

// The bounds of bodies. A pod's ServiceAccount token is the largest part of a request.
const (
	MaxRequestBytes = 32 << 10
	MaxAnswerBytes  = 64 << 10
)

// Pod is for whom something is signed: one that runs on the issuer's node.
type Pod struct {
	UID string `json:"pod_uid"`

	// Token is the pod's ServiceAccount token of the issuer's audience, if the pod has shown one. It is verified, and must
	// be the pod's.
	Token string `json:"pod_token,omitempty"`
}

// TokenRequest asks for a token. All that it says beyond the names is found out by the signer itself.
type TokenRequest struct {
	Pod

	// Identity is the name of a ManagedIdentity.
	Identity string `json:"identity"`

	// Resource is the audience of the token, to the letter.
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

// AttestationRequest asks for a signed document of who the pod is.
type AttestationRequest struct {
	Pod

	// Nonce is put into the document. It may be empty.
	Nonce string `json:"nonce,omitempty"`

	// Version is that of IMDS's API, which says what the document tells.
	Version string `json:"version"`
}

// AttestationResponse is the document: PKCS #7, in DER.
type AttestationResponse struct {
	Signature []byte `json:"signature"`
}

// Error is the body of every answer that is not a success. Code and Description are fit for an application to see,
// Reason and Detail for the issuer's audit log. Its HTTP status is 400 for what stays wrong until somebody changes
// something, 401 where the issuer's token does not authenticate it, 403 where the pod does not run on the issuer's node,
// and 429 or 503 with Retry-After for what will pass.
type Error struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
	Reason      string `json:"reason"`
	Detail      string `json:"detail"`
}
