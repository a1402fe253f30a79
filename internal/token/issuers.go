package token

import "strings"

// Issuers chooses the issuer that a token names.
type Issuers struct {
	// BaseURL is the address of the cluster's issuer, without an ending slash.
	BaseURL string

	// EntraResources are the resources whose validators take Microsoft's issuers only. An ending slash makes no
	// difference.
	EntraResources []string
}

// For is the issuer (iss) of a tenant's token for a resource.
func (i Issuers) For(resource, tenant string) string {
	for _, entra := range i.EntraResources {
		if SameResource(entra, resource) {
			return entraIssuerURL(tenant)
		}
	}
	return IssuerURL(i.BaseURL, tenant)
}

// entraIssuerURL is Entra's issuer of v1 tokens (tokens.md section 1).
func entraIssuerURL(tenant string) string { return "https://sts.windows.net/" + tenant + "/" }

// IssuerURL is the cluster's own issuer for a tenant: the URL whose discovery document bears exactly this name.
func IssuerURL(baseURL, tenant string) string { return baseURL + "/" + tenant + "/v2.0" }

// KeysURL is where a tenant's JWKS is.
func KeysURL(baseURL, tenant string) string { return baseURL + "/" + tenant + "/discovery/v2.0/keys" }

// SameResource tells whether two resources are the same but for an ending slash.
func SameResource(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}
