package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

const vault = "https://vault.azure.net"

// answer is a response of the token endpoints, or an error.
type answer struct {
	AccessToken string `json:"access_token"`
	ClientID    string `json:"client_id"`
	Resource    string `json:"resource"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// ask requests a token from IMDS. The parameters are pairs of names and values.
func (p *process) ask(resource string, parameters ...string) (int, answer) {
	p.t.Helper()
	query := url.Values{"api-version": {"2018-02-01"}, "resource": {resource}}
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	var body answer
	status := p.get(p.baseURL()+"/metadata/identity/oauth2/token?"+query.Encode(), "Metadata", "true", &body)
	return status, body
}

// get gets JSON with a header.
func (p *process) get(target, header, value string, into any) int {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, target, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set(header, value)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		p.t.Fatalf("%s: got %d %q: %v", target, response.StatusCode, body, err)
	}
	return response.StatusCode
}

// verify verifies a token like a resource server that trusts the issuer: by its discovery document and its keys.
func (p *process) verify(token, issuer, audience string) jwt.MapClaims {
	p.t.Helper()
	var document struct {
		Issuer  string `json:"issuer"`
		KeysURL string `json:"jwks_uri"`
	}
	p.get(issuer+"/.well-known/openid-configuration", "Accept", "application/json", &document)
	if document.Issuer != issuer {
		p.t.Errorf("issuer in the discovery document = %q, want %q", document.Issuer, issuer)
	}
	var keys jose.JSONWebKeySet
	p.get(document.KeysURL, "Accept", "application/json", &keys)
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(token *jwt.Token) (any, error) {
		id, _ := token.Header["kid"].(string)
		for _, key := range keys.Key(id) {
			return key.Key, nil
		}
		return nil, jwt.ErrTokenUnverifiable
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	if err != nil {
		p.t.Errorf("token is not valid: %v", err)
	}
	return claims
}
