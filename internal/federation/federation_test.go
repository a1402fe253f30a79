package federation

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/token"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for url, message := range map[string]string{
		"https://issuer.example":                             "",
		"https://issuer.example/cluster-1":                   "",
		"http://issuer.example":                              "https://",
		"https://":                                           "a host",
		"https://issuer.example/":                            "slash",
		"https://issuer.example?a=b":                         "query",
		"https://issuer.example?":                            "query",
		"https://issuer.example#a":                           "fragment",
		"https://me@issuer.example":                          "user",
		"https://issuer.example/" + strings.Repeat("a", 600): "600",
	} {
		err := CheckURL(url)
		if (err == nil) != (message == "") || err != nil && !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v, want %q", url, err, message)
		}
	}
}

func TestAssertion(t *testing.T) {
	t.Parallel()
	key, now := build.Key(t), time.Now().Truncate(time.Second)
	for cluster, subject := range map[string]string{"": "kube-imds:identity:orders", "eu-1": "kube-imds:eu-1:identity:orders"} {
		issuer := Issuer{URL: "https://issuer.example", Cluster: cluster}
		signed, err := issuer.Assert(t.Context(), key, "orders", "api://audience", now)
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.RegisteredClaims
		parsed, err := jwt.ParseWithClaims(signed.Token, &claims, func(*jwt.Token) (any, error) { return key.Public, nil },
			jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer("https://issuer.example"), jwt.WithSubject(subject),
			jwt.WithAudience("api://audience"))
		if err != nil {
			t.Fatal(err)
		}
		if parsed.Header["kid"] != key.ID || claims.ID == "" || claims.ID != signed.ID || !claims.ExpiresAt.Equal(now.Add(10*time.Minute)) {
			t.Errorf("got header %v, claims %+v", parsed.Header, claims)
		}
		if !strings.Contains(payload(t, signed.Token), `"aud":["api://audience"]`) {
			t.Errorf("payload %s", payload(t, signed.Token))
		}
	}
}

func payload(t *testing.T, text string) string {
	t.Helper()
	content, err := jwt.NewParser().DecodeSegment(strings.Split(text, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// site serves public files with a content type.
type site struct {
	mu    sync.Mutex
	files map[string]string
	kind  string
}

// become changes a file.
func (s *site) become(path, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = content
}

func (s *site) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, found := s.files[request.URL.Path]
	if !found {
		http.NotFound(writer, request)
		return
	}
	writer.Header().Set("Content-Type", s.kind)
	_, _ = writer.Write([]byte(content))
}

func TestReadPublic(t *testing.T) {
	t.Parallel()
	key := build.Key(t)
	jwks, err := token.JWKS([]*token.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change  func(*site, string)
		message string
	}{
		"as published":         {func(*site, string) {}, ""},
		"with a charset":       {func(s *site, _ string) { s.kind = "application/json; charset=utf-8" }, ""},
		"no discovery":         {func(s *site, _ string) { delete(s.files, DiscoveryPath) }, "answers 404"},
		"no keys":              {func(s *site, _ string) { delete(s.files, KeysPath) }, "read the public keys"},
		"another issuer":       {func(s *site, url string) { s.files[DiscoveryPath] = `{"issuer":"` + url + `/"}` }, "to the letter"},
		"keys without TLS":     {func(s *site, url string) { s.files[DiscoveryPath] = `{"issuer":"` + url + `","jwks_uri":"http://a/b"}` }, "want an https URL"},
		"text":                 {func(s *site, _ string) { s.kind = "text/plain" }, "content type"},
		"not JSON":             {func(s *site, _ string) { s.files[KeysPath] = "<html>" }, "not the JSON"},
		"more than is allowed": {func(s *site, _ string) { s.files[KeysPath] = strings.Repeat(" ", maxFile+1) }, "more than"},
	} {
		served := &site{kind: "application/json"}
		server := httptest.NewTLSServer(served)
		defer server.Close()
		discovery, err := Issuer{URL: server.URL}.Discovery()
		if err != nil {
			t.Fatal(err)
		}
		served.files = map[string]string{DiscoveryPath: string(discovery), KeysPath: string(jwks)}
		test.change(served, server.URL)
		ids, err := ReadPublic(t.Context(), server.Client(), server.URL)
		if test.message == "" && (err != nil || !ids[key.ID]) || test.message != "" && (err == nil || !strings.Contains(err.Error(), test.message)) {
			t.Errorf("%s: got %v, %v, want %q", name, ids, err, test.message)
		}
	}
}

func TestPrivateKeysDoNotCount(t *testing.T) {
	t.Parallel()
	served := &site{kind: "application/json"}
	server := httptest.NewTLSServer(served)
	defer server.Close()
	served.files = map[string]string{
		DiscoveryPath: `{"issuer":"` + server.URL + `","jwks_uri":"` + server.URL + KeysPath + `"}`,
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private, KeyID: "a"}, {Key: []byte("secret"), KeyID: "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	served.files[KeysPath] = string(keys)
	if ids, err := ReadPublic(t.Context(), server.Client(), server.URL); err != nil || len(ids) != 0 {
		t.Errorf("got %v, %v", ids, err)
	}
}

func TestDiscoveryIsWhatEntraReads(t *testing.T) {
	t.Parallel()
	document, err := Issuer{URL: "https://issuer.example/a"}.Discovery()
	if err != nil {
		t.Fatal(err)
	}
	var read map[string]any
	if err := json.Unmarshal(document, &read); err != nil {
		t.Fatal(err)
	}
	if read["issuer"] != "https://issuer.example/a" || read["jwks_uri"] != "https://issuer.example/a/openid/v1/jwks" {
		t.Errorf("got %s", document)
	}
}

func TestCredential(t *testing.T) {
	t.Parallel()
	identity := build.NewIdentity("orders").WithClientID("5f0d1d8c-0000-4000-8000-0000000000a1").ManagedIdentity
	issuer := Issuer{URL: "https://issuer.example"}
	want := "az identity federated-credential create --name kube-imds-orders --identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP " +
		"--issuer https://issuer.example --subject kube-imds:identity:orders --audiences api://AzureADTokenExchange"
	if got := issuer.CredentialFor(identity, "api://AzureADTokenExchange").AzureCLI(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	identity.Spec.ResourceID = "/subscriptions/sub/resourceGroups/rg (1)/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi'1"
	credential := issuer.CredentialFor(identity, "it's ${x}")
	want = `az identity federated-credential create --name kube-imds-orders --identity-name 'mi'\''1' --resource-group 'rg (1)' ` +
		`--subscription sub --issuer https://issuer.example --subject kube-imds:identity:orders --audiences 'it'\''s ${x}'`
	if got := credential.AzureCLI(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, part := range []string{`name: 'mi\'1'`, `audiences: ['it\'s \${x}']`, `subject: 'kube-imds:identity:orders'`} {
		if !strings.Contains(credential.Bicep(), part) {
			t.Errorf("Bicep misses %s:\n%s", part, credential.Bicep())
		}
	}
	for _, part := range []string{`audience  = ["it's $${x}"]`, `parent_id = "/subscriptions/sub/`, `"azurerm_federated_identity_credential" "kube-imds-orders"`} {
		if !strings.Contains(credential.Terraform(), part) {
			t.Errorf("Terraform misses %s:\n%s", part, credential.Terraform())
		}
	}
}
