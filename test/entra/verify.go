package entra

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// refusal is an AADSTS error.
type refusal struct {
	code        int
	name        string
	status      int
	description string
}

// refuse answers with an error in Entra's form.
func (s *Server) refuse(writer http.ResponseWriter, refused refusal) {
	now, trace, correlation := s.Now().UTC().Format("2006-01-02 15:04:05Z"), uuid.NewString(), uuid.NewString()
	write(writer, refused.status, map[string]any{
		"error": refused.name, "error_codes": []int{refused.code}, "timestamp": now, "trace_id": trace, "correlation_id": correlation,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			refused.code, refused.description, trace, correlation, now),
		"error_uri": fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", refused.code),
	})
}

// verify returns the identity that an assertion is of.
func (s *Server) verify(request *http.Request, tenant, client, resource string) (Identity, *refusal) {
	form := request.PostForm
	s.mu.Lock()
	identity, found := s.identities[client]
	s.mu.Unlock()
	switch {
	case !s.hasTenant(tenant):
		return identity, &refusal{90002, "invalid_request", http.StatusBadRequest, "Tenant '" + tenant + "' not found."}
	case !found || identity.TenantID != tenant:
		return identity, &refusal{700016, "unauthorized_client", http.StatusBadRequest, "Application with identifier '" + client + "' was not found."}
	case form.Get("grant_type") != "client_credentials":
		return identity, &refusal{900144, "invalid_request", http.StatusBadRequest, "The request body must contain 'grant_type'."}
	case form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || form.Get("client_assertion") == "":
		return identity, &refusal{7000218, "invalid_client", http.StatusUnauthorized, "The request body must contain 'client_assertion'."}
	case len(identity.Credentials) == 0:
		return identity, &refusal{70025, "invalid_client", http.StatusUnauthorized, "The client has no configured federated identity credentials."}
	}
	if refused := s.verifyAssertion(form.Get("client_assertion"), identity); refused != nil {
		return identity, refused
	}
	if !s.hasResource(resource) {
		return identity, &refusal{500011, "invalid_resource", http.StatusBadRequest, "The resource principal named " + resource + " was not found."}
	}
	return identity, nil
}

func (s *Server) hasTenant(tenant string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, identity := range s.identities {
		if identity.TenantID == tenant {
			return true
		}
	}
	return false
}

// verifyAssertion verifies an assertion with its issuer's public files and compares it with the credentials.
func (s *Server) verifyAssertion(assertion string, identity Identity) *refusal {
	claims := jwt.RegisteredClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(assertion, &claims)
	if err != nil {
		return &refusal{50027, "invalid_client", http.StatusUnauthorized, "JWT token is invalid or malformed."}
	}
	if refused := s.match(claims, identity); refused != nil {
		return refused
	}
	keys, err := s.keysOf(claims.Issuer)
	if err != nil {
		return &refusal{50166, "invalid_request", http.StatusBadRequest, "Request to External OIDC endpoint failed: " + err.Error()}
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(s.Now), jwt.WithExpirationRequired())
	_, err = parser.ParseWithClaims(assertion, &jwt.RegisteredClaims{}, func(token *jwt.Token) (any, error) {
		id, _ := token.Header["kid"].(string)
		found := keys.Key(id)
		if len(found) != 1 {
			return nil, errUnknownKey
		}
		return found[0].Key, nil
	})
	switch {
	case errors.Is(err, errUnknownKey):
		return &refusal{7000272, "invalid_client", http.StatusUnauthorized, "The key of the assertion was not found in the issuer's JWKS."}
	case errors.Is(err, jwt.ErrTokenExpired) || errors.Is(err, jwt.ErrTokenNotValidYet):
		return &refusal{700024, "invalid_client", http.StatusUnauthorized, "Client assertion is not within its valid time range."}
	case err != nil:
		return &refusal{700027, "invalid_client", http.StatusUnauthorized, "Client assertion failed signature validation."}
	}
	return nil
}

var errUnknownKey = errors.New("unknown key")

// match compares an assertion with the credentials that have taken effect.
func (s *Server) match(claims jwt.RegisteredClaims, identity Identity) *refusal {
	of := func(is func(Credential) bool) bool {
		return slices.ContainsFunc(identity.Credentials, func(one Credential) bool { return !s.Now().Before(one.From) && is(one) })
	}
	refused := func(code int, description string) *refusal {
		return &refusal{code, "invalid_client", http.StatusUnauthorized, description}
	}
	switch {
	case !of(func(one Credential) bool { return one.Issuer == claims.Issuer }):
		return refused(700211, "No matching federated identity record found for presented assertion issuer.")
	case !of(func(one Credential) bool {
		return one.Issuer == claims.Issuer && slices.Equal(claims.Audience, jwt.ClaimStrings{one.Audience})
	}):
		return refused(700212, "No matching federated identity record found for presented assertion audience.")
	case !of(func(one Credential) bool {
		return one == Credential{claims.Issuer, claims.Subject, claims.Audience[0], one.From}
	}):
		return refused(700213, "No matching federated identity record found for presented assertion subject.")
	}
	return nil
}

// keysOf reads the keys of an issuer.
func (s *Server) keysOf(issuer string) (*jose.JSONWebKeySet, error) {
	if !strings.HasPrefix(issuer, "https://") {
		return nil, errors.New("the issuer is not https")
	}
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := s.read(issuer+"/.well-known/openid-configuration", &document); err != nil {
		return nil, err
	}
	if document.Issuer != issuer {
		return nil, errors.New("the discovery document has another issuer")
	}
	keys := &jose.JSONWebKeySet{}
	return keys, s.read(document.Keys, keys)
}

func (s *Server) read(url string, into any) error {
	response, err := s.Reader.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	return json.Unmarshal(content, into)
}
