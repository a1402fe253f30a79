package apigate

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/resource/bearer"
)

// The headers that say who the caller is, as App Service's built-in authentication sets them
// (learn.microsoft.com/azure/app-service/configure-authentication-user-identities).
const (
	principalHeader = "X-Ms-Client-Principal"
	objectIDHeader  = "X-Ms-Client-Principal-Id"
	providerHeader  = "X-Ms-Client-Principal-Idp"
	provider        = "aad"
)

// canonicalName returns the name of a header as programs see it that take _ for -, such as those of CGI and WSGI.
func canonicalName(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

// isOverride reports whether a name is that of a header by which some programs take a request for another one.
func isOverride(name string) bool {
	switch canonicalName(name) {
	case "x-http-method", "x-http-method-override", "x-method-override", "x-original-method",
		"x-original-url", "x-original-uri", "x-rewrite-url", "upgrade", "http2-settings":
		return true
	}
	return false
}

// isOurs reports whether a header is for the gate alone to set, or says how a request came to it.
func isOurs(name string) bool {
	name = canonicalName(name)
	for _, prefix := range []string{"x-ms-client-principal", "x-ms-token-", "x-forwarded"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "forwarded" || name == "x-real-ip"
}

// checkHeader refuses headers by which the backend could take a request for another one.
func checkHeader(header http.Header) error {
	for name := range header {
		if isOverride(name) {
			return badRequest("UnsupportedHeader", "The header %s is not supported.", cut(name))
		}
	}
	return nil
}

// clean removes what only the gate may say, and the credential.
func clean(header http.Header, keepToken bool) {
	for name := range header {
		isToken := canonicalName(name) == "authorization" && (!keepToken || name != "Authorization")
		// The server has told the client to go on.
		if isToken || isOurs(name) || name == "Expect" {
			delete(header, name)
		}
	}
}

// principal is a caller, as App Service describes one.
type principal struct {
	Provider string  `json:"auth_typ"`
	Claims   []claim `json:"claims"`
	NameType string  `json:"name_typ"`
	RoleType string  `json:"role_typ"`
}

// claim is one of a caller's.
type claim struct {
	Type  string `json:"typ"`
	Value string `json:"val"`
}

// introduce tells the backend who the caller is, and which app roles it has.
func introduce(header http.Header, caller bearer.Caller, tenant string, roles []v1alpha1.RoleName) {
	claims := []claim{
		{"http://schemas.microsoft.com/identity/claims/objectidentifier", caller.ObjectID},
		{"http://schemas.microsoft.com/identity/claims/tenantid", tenant},
	}
	if caller.ClientID != "" {
		claims = append(claims, claim{"appid", caller.ClientID})
	}
	for _, one := range roles {
		claims = append(claims, claim{"roles", string(one)})
	}
	// Strings have no errors.
	encoded, _ := json.Marshal(principal{provider, claims, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "roles"})
	header.Set(principalHeader, base64.StdEncoding.EncodeToString(encoded))
	header.Set(objectIDHeader, caller.ObjectID)
	header.Set(providerHeader, provider)
}
