package apigate

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/testing/tokens"
)

func TestAllowedRequestsPass(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for _, test := range []struct{ principal, method, target, passed string }{
		{"reader", "GET", "/v1/orders?top=3&filter=a%20b", "/v1/orders?top=3&filter=a%20b"},
		{"READER", "GET", "/v1/orders/%37%20x", "/v1/orders/7%20x"},
		{"writer", "DELETE", "/v1/orders/7", "/v1/orders/7"},
		{"writer", "POST", "/v1/orders", "/v1/orders"},
	} {
		got := g.send(t, test.method, test.target, token(t, test.principal, nil), nil)
		passed, _ := g.last(t)
		if got.status != http.StatusAccepted || got.body != "answer" || got.header.Get("X-From") == "" {
			t.Errorf("%s %s: got %+v", test.method, test.target, got)
		} else if passed.RequestURI != test.passed || passed.Method != test.method || passed.Host != g.Backend.Host {
			t.Errorf("%s %s: the backend gets %s %s of %s", test.method, test.target, passed.Method, passed.RequestURI, passed.Host)
		}
	}
	if g.bodies[3] != "content" {
		t.Errorf("bodies = %q", g.bodies)
	}
}

// Nobody but the gate says who the caller is.
func TestBackendLearnsTheCaller(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	forged := http.Header{
		"X-Ms-Client-Principal": {"forged"}, "X-Ms-Client-Principal-Id": {"forged"}, "X-Ms-Client-Principal-Name": {"forged"},
		"X-Ms-Client-Principal-Idp": {"forged"}, "x-ms-client-principal-id": {"forged"}, "X_MS_CLIENT_PRINCIPAL_ID": {"forged"},
		"X-Ms_Client-Principal": {"forged"}, "X-Ms-Token-Aad-Access-Token": {"forged"}, "Connection": {"X-Ms-Client-Principal-Id, close"},
		"X-Forwarded-For": {"forged"}, "X-Forwarded-Prefix": {"forged"}, "X_Forwarded_Host": {"forged"}, "Forwarded": {"for=forged"}, "X-Real-Ip": {"forged"},
		"X-Other": {"kept"}, "Trailer": {"X-Ms-Client-Principal-Name"},
	}
	g.send(t, "GET", "/v1/orders", token(t, "reader", nil), forged)
	passed, _ := g.last(t)
	want := http.Header{"X-Ms-Client-Principal-Id": {"reader"}, "X-Ms-Client-Principal-Idp": {"aad"}, "X-Other": {"kept"},
		"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {strings.TrimPrefix(g.served.URL, "http://")}, "X-Forwarded-Proto": {"http"}}
	got := passed.Header.Clone()
	encoded := got.Get("X-Ms-Client-Principal")
	for _, name := range []string{"X-Ms-Client-Principal", "Accept-Encoding", "User-Agent", "Content-Length", "Te"} {
		got.Del(name)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(passed.Trailer) > 0 {
		t.Errorf("headers (-want +got)\n%s trailers %v", diff, passed.Trailer)
	}
	content, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	var caller principal
	if err := json.Unmarshal(content, &caller); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(principal{"aad", []claim{
		{"http://schemas.microsoft.com/identity/claims/objectidentifier", "reader"},
		{"http://schemas.microsoft.com/identity/claims/tenantid", tokens.Tenant},
		{"appid", "client"}, {"roles", "Orders.Read"},
	}, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "roles"}, caller); diff != "" {
		t.Error("the caller (-want +got)\n", diff)
	}

	// Whoever calls a public operation is nobody, whatever it says.
	forged.Set("Authorization", token(t, "reader", nil))
	if got := g.send(t, "GET", "/v1/health", "", forged); got.status != http.StatusAccepted {
		t.Errorf("got %+v", got)
	}
	passed, _ = g.last(t)
	for name := range passed.Header {
		if strings.HasPrefix(canonicalName(name), "x-ms-") || name == "Authorization" {
			t.Errorf("a public operation gets %s", name)
		}
	}
}

func TestPassToken(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.PassToken = true
	right := token(t, "reader", nil)
	g.send(t, "GET", "/v1/orders", right, nil)
	if passed, _ := g.last(t); passed.Header.Get("Authorization") != right {
		t.Errorf("headers = %v", passed.Header)
	}
	// Nobody has looked at that of a public operation.
	g.send(t, "GET", "/v1/health", right, nil)
	if passed, count := g.last(t); count != 2 || passed.Header.Get("Authorization") != "" {
		t.Errorf("headers of %d requests = %v", count, passed.Header)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	encoded, err := x509.MarshalPKIXPublicKey(&tokens.Key(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded})
	right := token(t, "reader", nil)
	parts := strings.Split(right, ".")
	with := func(name string, values ...string) http.Header { return http.Header{name: values} }
	for name, test := range map[string]struct {
		method, target, authorization string
		header                        http.Header
		status                        int
		code, reason                  string
	}{
		"no token":             {"GET", "/v1/orders", "", nil, 401, "AuthenticationFailed", "Missing"},
		"another scheme":       {"GET", "/v1/orders", "Basic YTpi", nil, 401, "AuthenticationFailed", "Missing"},
		"garbage":              {"GET", "/v1/orders", "Bearer a.b.c", nil, 401, "InvalidAuthenticationToken", "Malformed"},
		"two tokens":           {"GET", "/v1/orders", "", with("Authorization", right, right), 401, "InvalidAuthenticationToken", "Malformed"},
		"a token and nothing":  {"GET", "/v1/orders", "", with("Authorization", right, ""), 401, "InvalidAuthenticationToken", "Malformed"},
		"expired":              {"GET", "/v1/orders", token(t, "reader", jwt.MapClaims{"exp": time.Now().Add(-time.Hour).Unix()}), nil, 401, "ExpiredAuthenticationToken", "Expired"},
		"not yet valid":        {"GET", "/v1/orders", token(t, "reader", jwt.MapClaims{"nbf": time.Now().Add(time.Hour).Unix()}), nil, 401, "InvalidAuthenticationToken", "NotYetValid"},
		"another audience":     {"GET", "/v1/orders", token(t, "reader", jwt.MapClaims{"aud": "api://bills"}), nil, 401, "InvalidAuthenticationTokenAudience", "WrongAudience"},
		"another issuer":       {"GET", "/v1/orders", token(t, "reader", jwt.MapClaims{"iss": "https://login.example/"}), nil, 401, "InvalidAuthenticationTokenTenant", "WrongIssuer"},
		"another tenant":       {"GET", "/v1/orders", token(t, "reader", jwt.MapClaims{"tid": "other"}), nil, 401, "InvalidAuthenticationTokenTenant", "WrongIssuer"},
		"an unknown key":       {"GET", "/v1/orders", signed(t, jwt.SigningMethodRS256, tokens.Key(t), "gone", "reader", nil), nil, 401, "InvalidAuthenticationToken", "UnknownKey"},
		"tampered":             {"GET", "/v1/orders", parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2], nil, 401, "InvalidAuthenticationToken", ""},
		"no algorithm":         {"GET", "/v1/orders", signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, tokens.KeyID, "reader", nil), nil, 401, "InvalidAuthenticationToken", "BadSignature"},
		"HS256":                {"GET", "/v1/orders", signed(t, jwt.SigningMethodHS256, public, tokens.KeyID, "reader", nil), nil, 401, "InvalidAuthenticationToken", "BadSignature"},
		"no path, no token":    {"GET", "/v1/nothing", "", nil, 401, "AuthenticationFailed", "Missing"},
		"no method, no token":  {"PATCH", "/v1/orders", "", nil, 401, "AuthenticationFailed", "Missing"},
		"a public path's POST": {"POST", "/v1/health", "", nil, 401, "AuthenticationFailed", "Missing"},

		"no role":                {"GET", "/v1/orders", token(t, "stranger", nil), nil, 403, "AuthorizationFailed", ""},
		"another role":           {"GET", "/v1/orders", token(t, "writer", nil), nil, 403, "AuthorizationFailed", ""},
		"a part of the roles":    {"POST", "/v1/orders", token(t, "reader", nil), nil, 403, "AuthorizationFailed", ""},
		"roles elsewhere":        {"POST", "/v1/orders/purge", token(t, "admin", nil), nil, 403, "AuthorizationFailed", ""},
		"no path":                {"GET", "/v1/nothing", right, nil, 404, "ResourceNotFound", ""},
		"no method":              {"PATCH", "/v1/orders", right, nil, 405, "MethodNotAllowed", ""},
		"upwards":                {"GET", "/v1/orders/../health", right, nil, 400, "InvalidUri", ""},
		"several operations":     {"DELETE", "/v1/orders/PURGE", token(t, "writer", nil), nil, 400, "AmbiguousUri", ""},
		"a method's header":      {"GET", "/v1/orders/7", right, with("X-Http-Method-Override", "DELETE"), 400, "UnsupportedHeader", ""},
		"with underscores":       {"GET", "/v1/orders/7", right, with("X_HTTP_METHOD_OVERRIDE", "DELETE"), 400, "UnsupportedHeader", ""},
		"a path's header":        {"GET", "/v1/orders/7", right, with("X-Original-Url", "/v1/orders/purge"), 400, "UnsupportedHeader", ""},
		"an upgrade":             {"GET", "/v1/orders", right, http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, 400, "UnsupportedHeader", ""},
		"a method's parameter":   {"GET", "/v1/orders/7?_METHOD=DELETE", right, nil, 400, "UnsupportedQueryParameter", ""},
		"a parameter's override": {"GET", "/v1/orders/7?X-HTTP-Method-Override=DELETE", right, nil, 400, "UnsupportedQueryParameter", ""},
		"a semicolon":            {"GET", "/v1/orders/7?a=b;_method=DELETE", right, nil, 400, "InvalidQueryParameter", ""},
		"a bad escape":           {"GET", "/v1/orders/7?a=%zz", right, nil, 400, "InvalidQueryParameter", ""},
		"a long query":           {"GET", "/v1/orders/7?" + strings.Repeat("a", maxQuery+1), right, nil, 400, "InvalidQueryParameter", ""},
		"a public one's path":    {"GET", "/v1/health;/../orders", "", nil, 400, "InvalidUri", ""},
	} {
		got := g.send(t, test.method, test.target, test.authorization, test.header)
		if got.status != test.status || got.code() != test.code || got.header.Get("x-ms-error-code") != test.code || got.header.Get("x-ms-request-id") == "" {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
		challenge := `Bearer authorization_uri="` + tokens.BaseURL + "/" + tokens.Tenant + `", resource="api://orders"`
		if test.status == 401 && test.reason != "Missing" {
			challenge += `, error="invalid_token"`
		}
		if test.status != 401 {
			challenge = ""
		}
		if got.header.Get("WWW-Authenticate") != challenge {
			t.Errorf("%s: the challenge is %s", name, got.header.Get("WWW-Authenticate"))
		}
		line := g.lastLine()
		if !strings.Contains(line, `"request"="`+got.header.Get("x-ms-request-id")+`"`) || !strings.Contains(line, test.reason) ||
			!strings.Contains(line, `"api"="shop/orders"`) || test.status != 401 && !strings.Contains(line, test.code) {
			t.Errorf("%s: the audit log has %s", name, line)
		}
	}
	if passed, count := g.last(t); count > 0 {
		t.Errorf("%s %s passes", passed.Method, passed.RequestURI)
	}
	for _, secret := range []string{right, parts[2], "nothing", "DELETE&"} {
		if strings.Contains(g.log.String(), secret) {
			t.Errorf("the log has %.20q", secret)
		}
	}
	if got := g.send(t, "PATCH", "/v1/orders", right, nil).header.Get("Allow"); got != "GET, POST" {
		t.Errorf("Allow = %s", got)
	}
	if got := g.send(t, "POST", "/v1/orders", right, nil).body; !strings.Contains(got, "'createOrder' at API 'orders' of namespace 'shop'") ||
		!strings.Contains(got, "object id 'reader'") || !strings.Contains(got, "Orders.Write, or Orders.Read and Orders.Create") {
		t.Errorf("the refusal says %s", got)
	}
}

func (g *gateTest) lastLine() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(g.log.String()), "\n")
	return lines[len(lines)-1]
}

// A role counts from one request to the next.
func TestRoleThatIsTakenAway(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	right := token(t, "reader", nil)
	if got := g.send(t, "GET", "/v1/orders", right, nil); got.status != http.StatusAccepted {
		t.Errorf("got %+v", got)
	}
	if line := g.lastLine(); !strings.Contains(line, `"status"=202`) || !strings.Contains(line, `"operation"="listOrders"`) ||
		!strings.Contains(line, `"oid"="reader"`) || !strings.Contains(line, `"appid"="client"`) {
		t.Errorf("the audit log has %s", line)
	}
	g.mu.Lock()
	g.assignments = nil
	g.mu.Unlock()
	if got := g.send(t, "GET", "/v1/orders", right, nil); got.status != http.StatusForbidden {
		t.Errorf("got %+v", got)
	}
}

func TestOutages(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	right := token(t, "reader", nil)
	g.broken = errors.New("the cluster is away")
	if got := g.send(t, "GET", "/v1/orders", right, nil); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" ||
		strings.Contains(got.body, "away") {
		t.Errorf("got %+v", got)
	}
	g.broken = nil
	g.Backend = &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	if got := g.send(t, "GET", "/v1/orders", right, nil); got.status != http.StatusBadGateway || got.code() != "BadGateway" {
		t.Errorf("got %+v", got)
	}
}
