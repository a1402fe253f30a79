package imds

import (
	"context"
	"net/http"
)

// AttestationSource signs who the machine is. Its errors are read as those of TokenSource.
type AttestationSource interface {
	// Attest gives a signed document: PKCS #7, in DER.
	Attest(ctx context.Context, request AttestationRequest) ([]byte, error)
}

// AttestationRequest is what an attested document is asked for with.
type AttestationRequest struct {
	// Nonce is put into the document; left empty, the document has a nonce of its own.
	Nonce string

	// Version is the API's, which says what the document tells.
	Version string
}

// BadNonce is what whoever sends a wrong nonce is told.
const BadNonce = "Bad request. The nonce is at most 32 letters, digits, hyphens and underscores"

// maxNonce bounds a nonce (imds-contract.md section 5).
const maxNonce = 32

// attestedEndpoint answers GET /metadata/attested/document.
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

// IsNonce reports whether a nonce is of base64url's characters, which Teleport sends and a default nonce has, and short
// enough. It may be empty.
func IsNonce(nonce string) bool {
	for i := range len(nonce) {
		c := lower(nonce[i])
		if (c < 'a' || 'z' < c) && (c < '0' || '9' < c) && c != '-' && c != '_' {
			return false
		}
	}
	return len(nonce) <= maxNonce
}
