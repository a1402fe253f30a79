package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

const (
	tenant      = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	otherTenant = "11111111-2222-4333-8444-55555555555a"
	noTenantID  = "00000000-0000-0000-0000-000000000000"

	orders = "5f0d1d8c-0000-4000-8000-0000000000a1"
	bills  = "5f0d1d8c-0000-4000-8000-0000000000b2"

	subject  = "kube-imds:identity:orders"
	audience = "api://AzureADTokenExchange"

	vault   = "https://vault.azure.net"
	storage = "https://storage.azure.com"
	shop    = "api://shop"
	shopID  = "33333333-0000-4000-8000-00000000000c"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// makeSigningKey makes the stand-in's key once for all tests: making a key takes long.
var makeSigningKey = sync.OnceValues(newSigningKey)

// makeKeys makes the keys of issuers, once too.
var makeKeys = sync.OnceValue(func() map[string]*rsa.PrivateKey {
	keys := map[string]*rsa.PrivateKey{}
	for _, id := range []string{"one", "two"} {
		keys[id], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return keys
})

// world is a stand-in with an identity, the issuer that it is federated with, and a clock.
type world struct {
	*Server
	authority *httptest.Server
	website   *website
	clock     *clock
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{website: newWebsite(t), clock: &clock{at: noon}}
	key, err := makeSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(key, w.website.Client(), []string{vault, storage})
	server.Now, server.VersionTwo = w.clock.now, map[string]string{shop: shopID}
	w.Server, w.authority = server, httptest.NewTLSServer(server)
	t.Cleanup(w.authority.Close)
	t.Cleanup(server.Release)
	w.Register(Identity{TenantID: tenant, ClientID: orders, ObjectID: "object", Credentials: []Credential{w.credential("/cluster")}})
	return w
}

// credential returns a federated credential with the issuer at a path of the website.
func (w *world) credential(path string) Credential {
	return Credential{Issuer: w.website.URL + path, Subject: subject, Audience: audience}
}

// website has the public files of issuers below several paths.
type website struct {
	*httptest.Server
	plain     *httptest.Server // the same without TLS
	mu        sync.Mutex
	published []string
	down      bool
	reads     int
}

func newWebsite(t *testing.T) *website {
	t.Helper()
	w := &website{published: []string{"one"}}
	w.Server, w.plain = httptest.NewTLSServer(w), httptest.NewServer(w)
	t.Cleanup(w.Close)
	t.Cleanup(w.plain.Close)
	return w
}

// publish replaces the published keys.
func (w *website) publish(ids ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.published, w.down = ids, len(ids) == 0
}

func (w *website) readsNow() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reads
}

func (w *website) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	base := w.URL
	if request.TLS == nil {
		base = w.plain.URL
	}
	path, isDocument := strings.CutSuffix(request.URL.Path, "/.well-known/openid-configuration")
	document := map[string]string{"issuer": base + path, "jwks_uri": base + "/keys"}
	switch {
	case w.down:
		http.NotFound(writer, request)
	case path == "/dark", strings.Contains(request.URL.Path, "//"):
		writeJSON(writer, http.StatusNotFound, document)
	case path == "/liar":
		document["issuer"] += "/"
		writeJSON(writer, http.StatusOK, document)
	case path == "/keyless":
		document["jwks_uri"] = base + "/dark"
		writeJSON(writer, http.StatusOK, document)
	case path == "/plain":
		document["jwks_uri"] = w.plain.URL + "/keys"
		writeJSON(writer, http.StatusOK, document)
	case path == "/broken":
		_, _ = writer.Write([]byte("<html>"))
	case path == "/huge":
		writeJSON(writer, http.StatusOK, document)
		_, _ = writer.Write([]byte(strings.Repeat(" ", maxPublicFile)))
	case path == "/slash":
		document["issuer"] += "/"
		writeJSON(writer, http.StatusOK, document)
	case isDocument:
		w.reads++
		writeJSON(writer, http.StatusOK, document)
	case path == "/keys":
		var set jose.JSONWebKeySet
		for _, id := range w.published {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: makeKeys()[id].Public(), KeyID: id})
		}
		writeJSON(writer, http.StatusOK, set)
	}
}

// request is a request for a token, which a test changes.
type request struct {
	path   string
	form   url.Values
	header http.Header

	// method, keyID, signer and claims make the assertion, unless the form has one already.
	method jwt.SigningMethod
	keyID  string
	signer any
	claims jwt.MapClaims
}

// newRequest returns a request that is granted.
func (w *world) newRequest() *request {
	now := w.clock.now()
	return &request{
		path: "/" + tenant + "/oauth2/v2.0/token", header: http.Header{},
		form: url.Values{
			"client_id": {orders}, "scope": {vault + "/.default"}, "grant_type": {"client_credentials"},
			"client_assertion_type": {jwtBearer},
		},
		method: jwt.SigningMethodRS256, keyID: "one", signer: makeKeys()["one"],
		claims: jwt.MapClaims{
			"iss": w.website.URL + "/cluster", "sub": subject, "aud": audience, "jti": "an assertion",
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
		},
	}
}

// response is an answer with its JSON.
type response struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// ask sends a request with changes.
func (w *world) ask(t *testing.T, changes ...func(*request)) response {
	t.Helper()
	answered, err := w.try(t, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return answered
}

func (w *world) try(t *testing.T, changes ...func(*request)) (response, error) {
	t.Helper()
	asked := w.newRequest()
	for _, change := range changes {
		change(asked)
	}
	if !asked.form.Has("client_assertion") {
		token := jwt.NewWithClaims(asked.method, asked.claims)
		token.Header["kid"] = asked.keyID
		signed, err := token.SignedString(asked.signer)
		if err != nil {
			t.Fatal(err)
		}
		asked.form.Set("client_assertion", signed)
	}
	sent, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.authority.URL+asked.path, strings.NewReader(asked.form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	sent.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	maps.Copy(sent.Header, asked.header)
	return w.send(sent)
}

func (w *world) get(t *testing.T, path string) response {
	t.Helper()
	sent, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.authority.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answered, err := w.send(sent)
	if err != nil {
		t.Fatal(err)
	}
	return answered
}

func (w *world) send(sent *http.Request) (response, error) {
	got, err := w.authority.Client().Do(sent)
	if err != nil {
		return response{}, err
	}
	defer got.Body.Close()
	answered := response{status: got.StatusCode, header: got.Header}
	var raw json.RawMessage
	if err := json.NewDecoder(got.Body).Decode(&raw); err == nil {
		answered.raw = string(raw)
		_ = json.Unmarshal(raw, &answered.body)
	}
	return answered, nil
}

// code returns the AADSTS code of an answer; 0 if it has none.
func (r response) code() int {
	codes, _ := r.body["error_codes"].([]any)
	if len(codes) != 1 {
		return 0
	}
	code, _ := codes[0].(float64)
	return int(code)
}

// with returns a change of a field of the form; "" removes it.
func with(name, value string) func(*request) {
	return func(asked *request) {
		if value == "" {
			asked.form.Del(name)
			return
		}
		asked.form.Set(name, value)
	}
}

// claiming returns a change of a claim; nil removes it.
func claiming(name string, value any) func(*request) {
	return func(asked *request) {
		if value == nil {
			delete(asked.claims, name)
			return
		}
		asked.claims[name] = value
	}
}

// signedBy returns a change of the key that signs.
func signedBy(id string) func(*request) {
	return func(asked *request) { asked.keyID, asked.signer = id, makeKeys()[id] }
}

func at(path string) func(*request) { return func(asked *request) { asked.path = path } }
