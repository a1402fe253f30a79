package entra

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

// Identities of the test of refusals, each with one thing about its credentials.
const (
	bare   = "00000000-0000-4000-8000-000000000001"
	young  = "00000000-0000-4000-8000-000000000002"
	mixed  = "00000000-0000-4000-8000-000000000003"
	abroad = "00000000-0000-4000-8000-000000000004"
	public = "00000000-0000-4000-8000-000000000005"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	later, other := w.credential("/cluster"), w.credential("/slash/")
	later.From = noon.Add(time.Second)
	other.Subject, other.Audience = "other", "api://Other"
	var places []Credential
	for _, path := range []string{"/dark", "/liar", "/keyless", "/plain", "/broken", "/huge", "/slash/"} {
		places = append(places, w.credential(path))
	}
	places = append(places, Credential{Issuer: w.website.plain.URL, Subject: subject, Audience: audience})
	for client, credentials := range map[string][]Credential{
		bare: nil, young: {later}, mixed: {w.credential("/cluster"), other}, public: places,
	} {
		w.Register(Identity{TenantID: tenant, ClientID: client, Credentials: credentials})
	}
	w.Register(Identity{TenantID: otherTenant, ClientID: abroad})
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuedAt := func(path string) func(*request) {
		return func(asked *request) {
			asked.form.Set("client_id", public)
			asked.claims["iss"] = w.website.URL + path
		}
	}
	signed := func(method jwt.SigningMethod, key any) func(*request) {
		return func(asked *request) { asked.method, asked.signer = method, key }
	}
	all := func(changes ...func(*request)) func(*request) {
		return func(asked *request) {
			for _, change := range changes {
				change(asked)
			}
		}
	}
	versionOne := at("/" + tenant + "/oauth2/token")

	type badRequests struct {
		code   int
		name   string
		status int
		causes map[string]func(*request)
	}
	covered := []int{}
	for _, test := range []badRequests{
		{90002, "invalid_request", 400, map[string]func(*request){
			"unknown tenant":                     at("/" + noTenantID + "/oauth2/v2.0/token"),
			"common":                             at("/common/oauth2/v2.0/token"),
			"unknown tenant and malformed scope": all(at("/"+noTenantID+"/oauth2/v2.0/token"), with("scope", "x")),
		}},
		{900144, "invalid_request", 400, map[string]func(*request){
			"no grant type":     with("grant_type", ""),
			"no client ID":      with("client_id", ""),
			"no scope":          with("scope", ""),
			"no resource":       versionOne,
			"no assertion type": with("client_assertion_type", ""),
		}},
		{9002313, "invalid_request", 400, map[string]func(*request){
			"another assertion type": with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
			"claims are not JSON":    with("claims", "{"),
			"form of a megabyte":     with("client_assertion", strings.Repeat("x", 1<<20)),
		}},
		{70003, "unsupported_grant_type", 400, map[string]func(*request){"password": with("grant_type", "password")}},
		{70011, "invalid_scope", 400, map[string]func(*request){
			"a resource":         with("scope", vault),
			"a permission":       with("scope", vault+"/user_impersonation"),
			"only .default":      with("scope", "/.default"),
			"case of .default":   with("scope", vault+"/.Default"),
			"only of identities": with("scope", "openid profile offline_access"),
		}},
		{700022, "invalid_scope", 400, map[string]func(*request){
			"two resources": with("scope", vault+"/.default "+storage+"/.default"),
		}},
		{7000215, "invalid_client", 401, map[string]func(*request){
			"a secret": all(with("client_assertion", ""), func(asked *request) {
				asked.form["client_assertion"] = []string{""}
				asked.form.Set("client_secret", "secret")
			}),
		}},
		{7000216, "invalid_client", 401, map[string]func(*request){
			"neither assertion nor type": func(asked *request) {
				asked.form["client_assertion"] = []string{""}
				asked.form.Del("client_assertion_type")
			},
		}},
		{7000218, "invalid_client", 401, map[string]func(*request){
			"type without assertion": func(asked *request) { asked.form["client_assertion"] = []string{""} },
		}},
		{700016, "unauthorized_client", 400, map[string]func(*request){
			"unknown client":             with("client_id", "9f0d1d8c-0000-4000-8000-000000000099"),
			"client of another tenant":   with("client_id", abroad),
			"another tenant of a client": at("/" + otherTenant + "/oauth2/v2.0/token"),
		}},
		{50027, "invalid_request", 400, map[string]func(*request){
			"no JWT":       with("client_assertion", "word"),
			"empty parts":  with("client_assertion", ".."),
			"claims wrong": claiming("exp", "noon"),
		}},
		{5002738, "invalid_request", 400, map[string]func(*request){
			"ES256": signed(jwt.SigningMethodES256, private),
			"RS512": signed(jwt.SigningMethodRS512, makeKeys()["one"]),
			"HS256": signed(jwt.SigningMethodHS256, []byte("secret")),
			"none":  signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		}},
		{70025, "invalid_client", 401, map[string]func(*request){"no credential": with("client_id", bare)}},
		{70021, "invalid_client", 401, map[string]func(*request){"credential takes effect in a second": with("client_id", young)}},
		{700211, "invalid_client", 401, map[string]func(*request){
			"slash at the end":  claiming("iss", w.website.URL+"/cluster/"),
			"slash missing":     all(with("client_id", public), claiming("iss", w.website.URL+"/slash")),
			"case of letters":   claiming("iss", w.website.URL+"/Cluster"),
			"no issuer":         claiming("iss", nil),
			"everything wrong":  all(claiming("iss", "https://other"), claiming("aud", "other"), claiming("sub", "other")),
			"takes effect, too": all(with("client_id", young), claiming("sub", "other")),
		}},
		{700212, "invalid_client", 401, map[string]func(*request){
			"another audience":               claiming("aud", "api://AzureADTokenExchangeUSGov"),
			"case of letters":                claiming("aud", "api://azureadtokenexchange"),
			"no audience":                    claiming("aud", nil),
			"audience of another credential": all(with("client_id", mixed), claiming("aud", "api://Other")),
			"audience and subject":           all(claiming("aud", "other"), claiming("sub", "other")),
		}},
		{700213, "invalid_client", 401, map[string]func(*request){
			"another subject":               claiming("sub", "kube-imds:identity:bills"),
			"start of the subject":          claiming("sub", "kube-imds:identity:order"),
			"no subject":                    claiming("sub", nil),
			"subject of another credential": all(with("client_id", mixed), claiming("sub", "other")),
		}},
		{7002138, "invalid_client", 401, map[string]func(*request){"case of letters": claiming("sub", "kube-imds:identity:Orders")}},
		{90061, "invalid_request", 400, map[string]func(*request){
			"no document":                 issuedAt("/dark"),
			"document of another issuer":  issuedAt("/liar"),
			"document is a web page":      issuedAt("/broken"),
			"document of a megabyte":      issuedAt("/huge"),
			"issuer is not https":         all(with("client_id", public), claiming("iss", w.website.plain.URL)),
			"no document, bad signature":  all(issuedAt("/dark"), signed(jwt.SigningMethodRS256, makeKeys()["two"])),
			"no document, outside of nbf": all(issuedAt("/dark"), claiming("nbf", noon.Add(time.Hour).Unix())),
		}},
		{50166, "invalid_request", 400, map[string]func(*request){
			"no keys":            issuedAt("/keyless"),
			"keys are not https": issuedAt("/plain"),
		}},
		{7000272, "invalid_client", 401, map[string]func(*request){
			"key is not published": signedBy("two"),
			"no key ID":            func(asked *request) { asked.keyID = "" },
			"expired, too":         all(signedBy("two"), claiming("exp", noon.Unix())),
		}},
		{700027, "invalid_client", 401, map[string]func(*request){
			"another key of the same ID": signed(jwt.SigningMethodRS256, makeKeys()["two"]),
		}},
		{700024, "invalid_client", 401, map[string]func(*request){
			"expired":       claiming("exp", noon.Unix()),
			"not valid yet": claiming("nbf", noon.Add(time.Second).Unix()),
			"no expiry":     claiming("exp", nil),
		}},
		{500011, "invalid_resource", 400, map[string]func(*request){
			"unknown resource":          with("scope", "https://unknown.example/.default"),
			"two slashes at the end":    with("scope", vault+"///.default"),
			"unknown resource, version": all(versionOne, with("resource", "https://unknown.example")),
		}},
	} {
		covered = append(covered, test.code)
		for cause, change := range test.causes {
			t.Run(fmt.Sprintf("%d %s", test.code, cause), func(t *testing.T) {
				t.Parallel()
				got := w.ask(t, change)
				if got.code() != test.code || got.status != test.status || got.body["error"] != test.name {
					t.Errorf("got %d %s", got.status, got.raw)
				}
			})
		}
	}
	// The others need a fault.
	for code := range kinds {
		if slices.Contains(covered, code) {
			continue
		}
		t.Run(fmt.Sprintf("%d by a fault", code), func(t *testing.T) {
			t.Parallel()
			refused := Fault{Code: code, RetryAfter: "7"}.answer(&ask{})
			if body := refused.body.(errorBody); refused.status != kinds[code].status || body.Error != kinds[code].name || refused.retryAfter != "7" {
				t.Errorf("got %+v", refused)
			}
		})
	}
}

// Whatever is refused is refused in the same form.
func TestFormOfRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const correlation = "8f043819-8577-46b9-b330-a72e2e114665"
	got := w.ask(t, claiming("sub", "other"), func(asked *request) { asked.header.Set("client-request-id", correlation) })
	trace, _ := got.body["trace_id"].(string)
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(trace) {
		t.Errorf("trace ID = %q", trace)
	}
	want := map[string]any{
		"error": "invalid_client", "error_codes": []any{700213.}, "timestamp": "2026-11-27 12:00:00Z",
		"trace_id": trace, "correlation_id": correlation,
		"error_uri": w.authority.URL + "/error?code=700213",
		"error_description": "AADSTS700213: No matching federated identity record found for presented assertion subject 'other'. " +
			"Trace ID: " + trace + " Correlation ID: " + correlation + " Timestamp: 2026-11-27 12:00:00Z",
	}
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	wantHeaders(t, got)
	if got.header.Get("client-request-id") != correlation || got.header.Get("x-ms-request-id") != trace {
		t.Errorf("headers = %v", got.header)
	}
	if again := w.ask(t, claiming("sub", "other"), func(asked *request) { asked.header.Set("client-request-id", "x") }); again.body["correlation_id"] == "x" {
		t.Error("the correlation ID is not a GUID")
	}
}

func wantHeaders(t *testing.T, got response) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "Retry-After": "",
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, want := range map[string]int{
		"/" + tenant + "/oauth2/v2.0/token": http.StatusMethodNotAllowed, "/" + tenant + "/oauth2/token": http.StatusMethodNotAllowed,
		"/" + tenant + "/oauth2/v2.0/authorize": http.StatusNotFound, "/": http.StatusNotFound,
	} {
		if got := w.get(t, path); got.status != want {
			t.Errorf("%s: got %d, want %d", path, got.status, want)
		}
	}
}
