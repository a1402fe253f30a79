package apigate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/resource/bearer"
	"github.com/kube-imds/kube-imds/internal/resource/role"
	"github.com/kube-imds/kube-imds/internal/testing/tokens"
)

const audience = "api://orders"

var orderBackend = &url.URL{Scheme: "http", Host: "127.0.0.1:8080"}

func parseRequest(method, target string) (*url.URL, error) {
	if method == "CONNECT" {
		return nil, errors.New("it has no path")
	}
	return url.ParseRequestURI(target)
}

// gateTest is a gate before an API that records what passes.
type gateTest struct {
	*Server
	served *httptest.Server

	mu          sync.Mutex
	log         bytes.Buffer
	passed      []*http.Request
	bodies      []string
	assignments []role.Assignment
	broken      error
}

func newGate(t testing.TB) *gateTest {
	t.Helper()
	at := role.Scope{Namespace: "shop", API: "orders"}
	g := &gateTest{assignments: []role.Assignment{
		{Principal: "reader", Role: "Orders.Read", Scope: at},
		{Principal: "reader", Role: "Bills.Read", Scope: at},
		{Principal: "writer", Role: "Orders.Write", Scope: at},
		{Principal: "admin", Role: "Orders.Admin", Scope: role.Scope{Namespace: "bank", API: "orders"}},
		{Principal: "admin", Role: "Orders.Admin", Scope: role.Scope{Namespace: "shop", API: "bills"}},
	}}
	backend := httptest.NewServer(http.HandlerFunc(g.backend))
	t.Cleanup(backend.Close)
	address, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	g.Server = &Server{
		Namespace: "shop", Name: "orders", Document: orders(t), Audiences: []string{audience, "https://orders.example"},
		TenantID: tokens.Tenant, LoginURL: tokens.BaseURL,
		Bearer: &bearer.Validator{BaseURL: tokens.BaseURL, Keys: tokens.Keys(t), Now: time.Now},
		Assignments: func(context.Context) ([]role.Assignment, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.assignments, g.broken
		},
		Backend: address, Transport: NewTransport(), Patience: time.Minute,
		Log: funcr.New(func(_, line string) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.log.WriteString(line + "\n")
		}, funcr.Options{}),
	}
	g.served = httptest.NewServer(g.Server)
	t.Cleanup(g.served.Close)
	return g
}

func (g *gateTest) backend(writer http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passed, g.bodies = append(g.passed, request), append(g.bodies, string(body))
	writer.Header().Set("X-From", "the backend")
	writer.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(writer, "answer")
}

// token returns an Authorization header of a principal, with claims changed.
func token(t testing.TB, principal string, changes jwt.MapClaims) string {
	t.Helper()
	return signed(t, jwt.SigningMethodRS256, tokens.Key(t), tokens.KeyID, principal, changes)
}

func signed(t testing.TB, method jwt.SigningMethod, key any, keyID, principal string, changes jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": "https://sts.windows.net/" + tokens.Tenant + "/", "aud": audience, "tid": tokens.Tenant, "oid": principal, "appid": "client",
		"nbf": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		claims[name] = value
	}
	return "Bearer " + tokens.Sign(t, method, key, keyID, claims)
}

// answer is an answer of the gate.
type answer struct {
	status int
	header http.Header
	body   string
}

// code returns the code of a failure.
func (a answer) code() string {
	var failed struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(a.body), &failed); err != nil || failed.Error.Message == "" {
		return ""
	}
	return failed.Error.Code
}

// send sends a request, as it is written.
func (g *gateTest) send(t testing.TB, method, target, authorization string, header http.Header) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, g.served.URL, strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(target, "?")
	request.URL.Opaque, request.URL.RawQuery = "//"+request.URL.Host+path, query
	for name, values := range header {
		request.Header[name] = values
	}
	for _, name := range request.Header["Trailer"] {
		request.ContentLength, request.Trailer = -1, http.Header{name: {"forged"}}
	}
	request.Header.Del("Trailer")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := g.served.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// last returns the request that the backend got last, and how many it has got.
func (g *gateTest) last(t testing.TB) (*http.Request, int) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.passed) == 0 {
		return nil, 0
	}
	return g.passed[len(g.passed)-1], len(g.passed)
}
