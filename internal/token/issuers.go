package token

import "strings"

// Issuers chooses the issuer that a token names.
type Issuers struct {
	// BaseURL is the address of the cluster's issuer, without a trailing slash.
	BaseURL string

	// EntraResources are the resources whose validators accept Microsoft's issuers only. A trailing slash makes no
	// difference.
	EntraResources []string
}

// For returns the issuer (iss) of a tenant's token for a resource.
func (i Issuers) For(resource, tenant string) string {
	for _, entra := range i.EntraResources {
		if SameResource(entra, resource) {
			return entraIssuerURL(tenant)
		}
	}
	return IssuerURL(i.BaseURL, tenant)
}

// entraIssuerURL returns the issuer of Entra's v1 tokens (tokens.md section 1).
func entraIssuerURL(tenant string) string { return "https://sts.windows.net/" + tenant + "/" }

// IssuerURL returns the cluster's own issuer for a tenant. The discovery document below it has exactly this issuer.
func IssuerURL(baseURL, tenant string) string { return baseURL + "/" + tenant + "/v2.0" }

// KeysURL returns the URL of a tenant's JWKS.
func KeysURL(baseURL, tenant string) string { return baseURL + "/" + tenant + "/discovery/v2.0/keys" }

// SameResource reports whether two resources are the same but for a trailing slash.
func SameResource(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}
