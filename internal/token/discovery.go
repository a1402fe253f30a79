package token

import (
	"encoding/json"
	"fmt"
)

// discovery is an OpenID Connect discovery document in Entra's shape (tokens.md section 2).
type discovery struct {
	TokenEndpoint            string   `json:"token_endpoint"`
	TokenEndpointAuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	JWKSURI                  string   `json:"jwks_uri"`
	ResponseModes            []string `json:"response_modes_supported"`
	SubjectTypes             []string `json:"subject_types_supported"`
	IDTokenSigningAlgorithms []string `json:"id_token_signing_alg_values_supported"`
	ResponseTypes            []string `json:"response_types_supported"`
	Scopes                   []string `json:"scopes_supported"`
	Issuer                   string   `json:"issuer"`
	AuthorizationEndpoint    string   `json:"authorization_endpoint"`
	Claims                   []string `json:"claims_supported"`
	RequestURIParameter      bool     `json:"request_uri_parameter_supported"`
	TenantRegionScope        *string  `json:"tenant_region_scope"`
	CloudInstanceName        string   `json:"cloud_instance_name"`
}

// Discovery returns the discovery document of a tenant with the cluster's own issuer.
func Discovery(baseURL, tenant string) ([]byte, error) {
	return render(discovery{
		TokenEndpoint:         baseURL + "/" + tenant + "/oauth2/v2.0/token",
		JWKSURI:               KeysURL(baseURL, tenant),
		Issuer:                IssuerURL(baseURL, tenant),
		AuthorizationEndpoint: baseURL + "/" + tenant + "/oauth2/v2.0/authorize",
	})
}

// DiscoveryV1 returns the document of Entra's version 1 endpoints, which Vault's azure plugin reads. Its issuer is Entra's,
// as in tokens for Issuers.EntraResources; its keys are the cluster's.
func DiscoveryV1(baseURL, tenant string) ([]byte, error) {
	return render(discovery{
		TokenEndpoint:         baseURL + "/" + tenant + "/oauth2/token",
		JWKSURI:               baseURL + "/" + tenant + "/discovery/keys",
		Issuer:                entraIssuerURL(tenant),
		AuthorizationEndpoint: baseURL + "/" + tenant + "/oauth2/authorize",
	})
}

// render adds the members that all documents share.
func render(endpoints discovery) ([]byte, error) {
	document, err := json.Marshal(discovery{
		TokenEndpoint:            endpoints.TokenEndpoint,
		TokenEndpointAuthMethods: []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		JWKSURI:                  endpoints.JWKSURI,
		ResponseModes:            []string{"query", "fragment", "form_post"},
		SubjectTypes:             []string{"pairwise"},
		IDTokenSigningAlgorithms: []string{"RS256"},
		ResponseTypes:            []string{"code", "id_token", "code id_token", "id_token token"},
		Scopes:                   []string{"openid", "profile", "email", "offline_access"},
		Issuer:                   endpoints.Issuer,
		AuthorizationEndpoint:    endpoints.AuthorizationEndpoint,
		Claims:                   []string{"sub", "iss", "aud", "exp", "iat", "nbf", "tid", "oid", "appid", "ver"},
		CloudInstanceName:        "microsoftonline.com",
	})
	if err != nil {
		return nil, fmt.Errorf("render the discovery document: %w", err)
	}
	return document, nil
}
