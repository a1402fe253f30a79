package jwk

import (
	"encoding/base64"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// Encode returns bytes as Key Vault has them in JSON: base64url without padding.
func Encode(content []byte) string { return base64.RawURLEncoding.EncodeToString(content) }

// Decode returns the bytes of a property that must be there, at most some.
func Decode(property, text string, most int) ([]byte, error) {
	switch {
	case text == "":
		return nil, refusal.New("Property '%s' is required.", property)
	case len(text) > base64.RawURLEncoding.EncodedLen(most):
		return nil, refusal.New("Content of '%s' is longer than %d bytes.", property, most)
	}
	content, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, refusal.New("Content of '%s' is not base64url.", property)
	}
	return content, nil
}
