package imds

import (
	"context"
	"net/http"
)

// AttestationSource signs attested documents. Its errors are handled like TokenSource's.
type AttestationSource interface {
	// Attest returns a signed document: PKCS #7 in DER.
	Attest(ctx context.Context, request AttestationRequest) ([]byte, error)
}

// AttestationRequest is a request for an attested document.
type AttestationRequest struct {
	// Nonce goes into the document. If it is empty, the source generates one.
	Nonce string

	// Version is the api-version, which decides what the document contains.
	Version string
}

// BadNonce describes the error of an invalid nonce.
const BadNonce = "Bad request. The nonce is at most 32 letters, digits, hyphens and underscores"

// maxNonce bounds a nonce (imds-contract.md section 5).
const maxNonce = 32

// attestedEndpoint serves GET /metadata/attested/document.
type attestedEndpoint struct {
	source AttestationSource
}

func (e *attestedEndpoint) serve(w http.ResponseWriter, r *http.Request, _, rawQuery string) *Error {
	q, refusal := parseQuery(rawQuery)
	if refusal != nil {
		return refusal
	}
	version, refusal := q.version(attestedSince)
	if refusal != nil {
		return refusal
	}
	nonce := q["nonce"]
	if !IsNonce(nonce) {
		return invalid(BadNonce)
	}
	signed, err := e.source.Attest(r.Context(), AttestationRequest{nonce, version})
	if err != nil {
		return fromSource(err)
	}
	write(w, http.StatusOK, contentJSON, encode(struct {
		Encoding  string `json:"encoding"`
		Signature []byte `json:"signature"`
	}{"pkcs7", signed}))
	return nil
}

// IsNonce reports whether a nonce is short enough and has only base64url's characters, which Teleport sends. It may be empty.
func IsNonce(nonce string) bool {
	for i := range len(nonce) {
		c := lower(nonce[i])
		if (c < 'a' || 'z' < c) && (c < '0' || '9' < c) && c != '-' && c != '_' {
			return false
		}
	}
	return len(nonce) <= maxNonce
}
