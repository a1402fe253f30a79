package storagegate

import (
	"net/http"
	"net/url"
	"strings"
)

// credential is how a request is authenticated.
type credential string

// The credentials.
const (
	noCredential credential = "none"
	token        credential = "token"
	sharedKey    credential = "shared key"
	signature    credential = "shared access signature"
	delegation   credential = "user delegation"
)

// credentialOf returns the credential of a request, which may have one only.
func credentialOf(header http.Header, query url.Values) (credential, error) {
	authorization := header.Values("Authorization")
	found := noCredential
	switch {
	case has(query, delegationParameters):
		found = delegation
	case has(query, signatureParameters):
		found = signature
	}
	if len(authorization) == 0 || len(authorization) == 1 && authorization[0] == "" {
		return found, nil
	}
	if len(authorization) > 1 || found != noCredential {
		return "", errTwoCredentials
	}
	scheme, _, _ := strings.Cut(authorization[0], " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return token, nil
	case scheme == "SharedKey", scheme == "SharedKeyLite":
		return sharedKey, nil
	}
	return "", errTwoCredentials
}
