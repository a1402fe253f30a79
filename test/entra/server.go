package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxCredentials is how many federated credentials an identity can have.
const maxCredentials = 20

// maxAssertions bounds the assertions that are kept.
const maxAssertions = 100

// Identity is a managed identity in the stand-in's only tenants: those that identities name.
type Identity struct {
	TenantID, ClientID, ObjectID, ResourceID string
	Credentials                              []Credential
}

// Credential is a federated credential. It takes effect at a time: Entra needs minutes.
type Credential struct {
	Issuer, Subject, Audience string
	From                      time.Time
}

// Fault makes requests fail.
type Fault struct {
	// Times is how many requests fail.
	Times int

	// Code is an AADSTS code to answer with, and Status an HTTP status without one.
	Code, Status int

	// RetryAfter is the value of that header.
	RetryAfter string

	// HangUp closes the connection.
	HangUp bool

	// Until holds the request until it is closed.
	Until <-chan struct{}
}

// Server is the stand-in. It serves the token endpoints of version 1 and 2.
type Server struct {
	// Reader reads the public files of issuers.
	Reader *http.Client

	// Resources are the resources of every tenant.
	Resources []string

	// RefreshIn is the refresh_in of tokens in seconds, if not 0, and ExpiresIn their expires_in.
	RefreshIn, ExpiresIn int

	Now func() time.Time

	key *rsa.PrivateKey

	mu         sync.Mutex
	identities map[string]Identity
	fault      Fault
	asked      map[Exchange]int
	assertions []string
}

// Exchange is an issued token.
type Exchange struct{ ClientID, Resource string }

// New returns a stand-in without identities.
func New(reader *http.Client, resources ...string) (*Server, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return &Server{
		Reader: reader, Resources: resources, ExpiresIn: 86399, Now: time.Now, key: key,
		identities: map[string]Identity{}, asked: map[Exchange]int{},
	}, nil
}

// Register adds or replaces an identity, and panics if it has too many credentials.
func (s *Server) Register(identity Identity) {
	if len(identity.Credentials) > maxCredentials {
		panic("an identity has at most 20 federated credentials")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identities[identity.ClientID] = identity
}

// Fail makes the next requests fail.
func (s *Server) Fail(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Asked returns how often a token of a client ID was asked for, successfully or not.
func (s *Server) Asked(exchange Exchange) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[exchange]
}

// Assertions returns the assertions of the first requests.
func (s *Server) Assertions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.assertions)
}

// Public returns the key that verifies the stand-in's tokens.
func (s *Server) Public() *rsa.PublicKey { return &s.key.PublicKey }

// ServeHTTP answers.
func (s *Server) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	tenant, path, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	if request.Method != http.MethodPost || path != "oauth2/v2.0/token" && path != "oauth2/token" {
		http.NotFound(writer, request)
		return
	}
	if err := request.ParseForm(); err != nil {
		s.refuse(writer, refusal{900144, "invalid_request", http.StatusBadRequest, "The request body is malformed."})
		return
	}
	resource, isScope := strings.CutSuffix(request.PostForm.Get("scope"), "/.default")
	if path == "oauth2/token" {
		resource, isScope = request.PostForm.Get("resource"), true
	}
	client := request.PostForm.Get("client_id")
	if s.fails(writer, request, Exchange{client, resource}) {
		return
	}
	if !isScope {
		s.refuse(writer, refusal{70011, "invalid_scope", http.StatusBadRequest, "The provided value for the input parameter 'scope' is not valid."})
		return
	}
	identity, refused := s.verify(request, tenant, client, resource)
	if refused != nil {
		s.refuse(writer, *refused)
		return
	}
	s.issue(writer, identity, resource)
}

// fails counts the request and carries out a fault.
func (s *Server) fails(writer http.ResponseWriter, request *http.Request, exchange Exchange) bool {
	s.mu.Lock()
	s.asked[exchange]++
	if assertion := request.PostForm.Get("client_assertion"); len(s.assertions) < maxAssertions {
		s.assertions = append(s.assertions, assertion)
	}
	fault := s.fault
	if s.fault.Times > 0 {
		s.fault.Times--
	}
	s.mu.Unlock()
	if fault.Times == 0 {
		return false
	}
	if fault.Until != nil {
		select {
		case <-fault.Until:
		case <-request.Context().Done():
		}
	}
	if fault.RetryAfter != "" {
		writer.Header().Set("Retry-After", fault.RetryAfter)
	}
	switch {
	case fault.HangUp:
		panic(http.ErrAbortHandler)
	case fault.Code != 0:
		s.refuse(writer, refusal{fault.Code, "invalid_client", http.StatusUnauthorized, "It was told to."})
		return true
	case fault.Status != 0:
		http.Error(writer, "it was told to", fault.Status)
		return true
	}
	return false
}

// issue answers with a token that has the claims of a managed identity (tokens.md section 1).
func (s *Server) issue(writer http.ResponseWriter, identity Identity, resource string) {
	now := s.Now()
	issuer := "https://sts.windows.net/" + identity.TenantID + "/"
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"aud": resource, "iss": issuer, "idp": issuer, "iat": now.Add(-5 * time.Minute).Unix(), "nbf": now.Add(-5 * time.Minute).Unix(),
		"exp": now.Add(time.Duration(s.ExpiresIn) * time.Second).Unix(), "appid": identity.ClientID, "appidacr": "2", "idtyp": "app",
		"oid": identity.ObjectID, "sub": identity.ObjectID, "tid": identity.TenantID, "ver": "1.0", "uti": rand.Text()[:22],
		"xms_mirid": identity.ResourceID,
	})
	token.Header["kid"], token.Header["x5t"] = "stand-in", "stand-in"
	signed, err := token.SignedString(s.key)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	answer := map[string]any{
		"token_type": "Bearer", "expires_in": s.ExpiresIn, "ext_expires_in": s.ExpiresIn, "access_token": signed,
	}
	if s.RefreshIn != 0 {
		answer["refresh_in"] = s.RefreshIn
	}
	write(writer, http.StatusOK, answer)
}

func (s *Server) hasResource(resource string) bool {
	return slices.ContainsFunc(s.Resources, func(known string) bool { return strings.TrimSuffix(known, "/") == strings.TrimSuffix(resource, "/") })
}

func write(writer http.ResponseWriter, status int, body any) {
	writer.Header().Set("Content-Type", "application/json; charset=utf-8")
	writer.Header().Set("Cache-Control", "no-store, no-cache")
	writer.WriteHeader(status)
	_ = json.NewEncoder(writer).Encode(body)
}
