package storagegate

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const challenged = "Bearer authorization_uri=https://login.microsoftonline.com/" + tenant + "/oauth2/authorize resource_id=https://storage.azure.com"

func TestRefusals(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	writer := g.token(t, "writer", nil)
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{
		"iss": "https://sts.windows.net/" + tenant + "/", "aud": Resource, "tid": tenant, "oid": "writer", "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		method, target, authorization string
		header                        map[string]string
		status                        int
		code                          string
	}{
		"no credential":        {"GET", "/invoices/a", "", nil, 401, "NoAuthenticationInformation"},
		"no token":             {"GET", "/invoices/a", "Bearer ", nil, 401, "NoAuthenticationInformation"},
		"a forged token":       {"GET", "/invoices/a", writer[:len(writer)-8] + "AAAAAAAA", nil, 401, "InvalidAuthenticationInfo"},
		"a token for Azurite":  {"GET", "/invoices/a", "Bearer " + unsigned, nil, 401, "InvalidAuthenticationInfo"},
		"garbage":              {"GET", "/invoices/a", "Bearer garbage", nil, 401, "InvalidAuthenticationInfo"},
		"an expired token":     {"GET", "/invoices/a", g.token(t, "writer", jwt.MapClaims{"exp": time.Now().Add(-2 * time.Minute).Unix()}), nil, 401, "InvalidAuthenticationInfo"},
		"a later token":        {"GET", "/invoices/a", g.token(t, "writer", jwt.MapClaims{"nbf": time.Now().Add(2 * time.Minute).Unix()}), nil, 401, "InvalidAuthenticationInfo"},
		"another audience":     {"GET", "/invoices/a", g.token(t, "writer", jwt.MapClaims{"aud": "https://vault.azure.net"}), nil, 401, "InvalidAuthenticationInfo"},
		"another account's":    {"GET", "/invoices/a", g.token(t, "writer", jwt.MapClaims{"aud": "https://other.blob.core.windows.net"}), nil, 401, "InvalidAuthenticationInfo"},
		"another service's":    {"GET", "/invoices/a", g.token(t, "writer", jwt.MapClaims{"aud": "https://orders.queue.core.windows.net"}), nil, 401, "InvalidAuthenticationInfo"},
		"another tenant's":     {"GET", "/invoices/a", g.token(t, "writer", jwt.MapClaims{"tid": "other"}), nil, 401, "InvalidAuthenticationInfo"},
		"another issuer's":     {"GET", "/invoices/a", g.token(t, "writer", jwt.MapClaims{"iss": "https://sts.windows.net/other/"}), nil, 401, "InvalidAuthenticationInfo"},
		"no role":              {"GET", "/invoices/a", g.token(t, "stranger", nil), nil, 403, "AuthorizationPermissionMismatch"},
		"a smaller role":       {"PUT", "/invoices/a", g.token(t, "reader", nil), nil, 403, "AuthorizationPermissionMismatch"},
		"a smaller scope":      {"GET", "/secrets/a", g.token(t, "reader", nil), nil, 403, "AuthorizationPermissionMismatch"},
		"a list of containers": {"GET", "/?comp=list", g.token(t, "reader", nil), nil, 403, "AuthorizationPermissionMismatch"},
		"tags":                 {"PUT", "/invoices/a", writer, map[string]string{"x-ms-tags": "a=b"}, 403, "AuthorizationPermissionMismatch"},
		"a shared key":         {"GET", "/invoices/a", "SharedKey orders:AAAA", nil, 403, "KeyBasedAuthenticationNotPermitted"},
		"a shared key, lite":   {"GET", "/invoices/a", "SharedKeyLite orders:AAAA", nil, 403, "KeyBasedAuthenticationNotPermitted"},
		"a signature":          {"GET", "/invoices/a?sv=2026&sr=b&sig=AAAA", "", nil, 403, "KeyBasedAuthenticationNotPermitted"},
		"half a signature":     {"GET", "/invoices/a?sv=2026", "", nil, 403, "KeyBasedAuthenticationNotPermitted"},
		"a signature for bearers, where keys are admitted": {
			"GET", "https://open.blob." + domain + "/invoices/a?sv=2026&skoid=writer&sig=AAAA", "", nil, 403, "KeyBasedAuthenticationNotPermitted",
		},
		"a token and a signature": {"GET", "/invoices/a?sig=AAAA", writer, nil, 400, "InvalidAuthenticationInfo"},
		"another scheme":          {"GET", "/invoices/a", "Basic d3JpdGVyOg==", nil, 400, "InvalidAuthenticationInfo"},
		"no account":              {"GET", "https://nobody.blob." + domain + "/invoices/a", writer, nil, 404, "ResourceNotFound"},
		"no service":              {"GET", "https://orders.file." + domain + "/invoices/a", writer, nil, 404, "ResourceNotFound"},
		"another domain":          {"GET", "https://orders.blob.example/invoices/a", writer, nil, 404, "ResourceNotFound"},
		"a secondary":             {"GET", "https://orders-secondary.blob." + domain + "/invoices/a", writer, nil, 404, "ResourceNotFound"},
		"an account to come":      {"GET", "https://late.blob." + domain + "/invoices/a", writer, nil, 503, "ServerBusy"},
		"a path upwards":          {"GET", "/invoices/..%2fsecrets/a", writer, nil, 400, "InvalidUri"},
		"an encoded slash":        {"GET", "/invoices%2f..%2fsecrets/a", g.token(t, "reader", nil), nil, 400, "InvalidUri"},
		"an unknown parameter":    {"GET", "/invoices/a?x=y", writer, nil, 400, "UnsupportedQueryParameter"},
		"another method":          {"GET", "/invoices/a", g.token(t, "reader", nil), map[string]string{"X-HTTP-Method": "DELETE"}, 400, "UnsupportedHeader"},
		"another protocol":        {"GET", "/invoices/a", writer, map[string]string{"Connection": "Upgrade", "Upgrade": "websocket"}, 400, "UnsupportedHeader"},
		"public access":           {"PUT", "/new?restype=container", writer, map[string]string{"x-ms-blob-public-access": "blob"}, 409, "PublicAccessNotPermitted"},
		"a batch":                 {"POST", "/?comp=batch", writer, nil, 501, "NotImplemented"},
		"a user delegation key":   {"POST", "/?restype=service&comp=userdelegationkey", writer, nil, 400, "UnsupportedHttpVerb"},
		"a block from a URL":      {"PUT", "/invoices/a?comp=block&blockid=MQ==", writer, map[string]string{copySource: "https://orders.blob." + domain + "/invoices/b"}, 501, "NotImplemented"},
	} {
		got := g.send(t, test.method, test.target, test.authorization, test.header)
		header := got.Header()
		if got.Code != test.status || header.Get("x-ms-error-code") != test.code || header.Get("x-ms-request-id") == "" {
			t.Errorf("%s: %d %s, want %d %s", name, got.Code, header.Get("x-ms-error-code"), test.status, test.code)
		}
		if want := map[bool]string{true: challenged}[test.status == http.StatusUnauthorized]; header.Get("WWW-Authenticate") != want {
			t.Errorf("%s: challenge = %q", name, header.Get("WWW-Authenticate"))
		}
		var body struct{ Code, Message string }
		if err := xml.Unmarshal(got.Body.Bytes(), &body); err != nil || body.Code != test.code || !strings.Contains(body.Message, header.Get("x-ms-request-id")) {
			t.Errorf("%s: body = %s, error %v", name, got.Body, err)
		}
	}
	if len(g.passed) > 0 {
		t.Errorf("%d of them passed: %s", len(g.passed), g.passed[0].URL)
	}
	g.checkLog(t, writer, unsigned, "AAAA")
}

// checkLog checks that nothing secret is in the log.
func (g *gateTest) checkLog(t *testing.T, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if secret = strings.TrimPrefix(secret, "Bearer "); strings.Contains(g.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func TestTablesAreRefusedInJSON(t *testing.T) {
	t.Parallel()
	got := newGate(t).send(t, "GET", "https://orders.table."+domain+"/Tables", "", map[string]string{"x-ms-client-request-id": "mine", "x-ms-version": "2019-02-02"})
	var body map[string]struct {
		Code    string
		Message struct{ Lang, Value string }
	}
	if err := json.Unmarshal(got.Body.Bytes(), &body); err != nil || got.Code != 401 || body["odata.error"].Code != "NoAuthenticationInformation" {
		t.Errorf("got %d %s, error %v", got.Code, got.Body, err)
	}
	if header := got.Header(); header.Get("x-ms-client-request-id") != "mine" || header.Get("x-ms-version") != "2019-02-02" || header.Get("WWW-Authenticate") != challenged {
		t.Errorf("headers = %v", header)
	}
}

// What passes is told to the backend by the gate: neither the caller's token nor what it does not know goes further.
func TestPasses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, target, principal, audience string
		want                                string
	}{
		"a blob":             {"PUT", "/invoices/a%2Fb%20c?timeout=5", "writer", Resource, "/invoices/a%2Fb%20c?timeout=5"},
		"Azure's audience":   {"GET", "/invoices/a", "writer", "https://orders.blob.core.windows.net/", "/invoices/a"},
		"the host's":         {"GET", "/invoices/a", "reader", "https://orders.blob." + domain, "/invoices/a"},
		"a queue":            {"GET", "https://orders.queue." + domain + "/jobs/messages", "writer", Resource, "/jobs/messages"},
		"a table":            {"GET", "https://orders.table." + domain + "/Bills(PartitionKey='a',RowKey='b')?$select=c", "writer", "https://orders.table.core.windows.net", "/Bills(PartitionKey='a',RowKey='b')?$select=c"},
		"a host with a port": {"GET", "https://ORDERS.blob." + domain + ":443/invoices/a", "reader", Resource, "/invoices/a"},
		"tags of an owner":   {"GET", "/invoices/a?comp=tags", "owner", Resource, "/invoices/a?comp=tags"},
	} {
		g := newGate(t)
		authorization := g.token(t, test.principal, jwt.MapClaims{"aud": test.audience})
		got := g.send(t, test.method, test.target, authorization, map[string]string{
			"Cookie": "a=b", "X-Forwarded-Host": "other", "Forwarded": "host=other", "Expect": "100-continue", "x-ms-meta-a": "b",
		})
		if got.Code != http.StatusCreated || len(g.passed) != 1 || got.Header().Get("x-ms-request-id") != "of the backend" {
			t.Errorf("%s: %d, %d passed: %s", name, got.Code, len(g.passed), got.Body)
			continue
		}
		passed := g.passed[0]
		if passed.RequestURI != test.want || g.bodies[0] != "content" || passed.Header.Get("x-ms-meta-a") != "b" || !strings.HasPrefix(passed.Host, "orders.") {
			t.Errorf("%s: %s at %s with %q", name, passed.RequestURI, passed.Host, g.bodies[0])
		}
		for _, header := range []string{"Cookie", "X-Forwarded-Host", "X-Forwarded-For", "Forwarded", "Expect"} {
			if passed.Header.Get(header) != "" {
				t.Errorf("%s: %s passes", name, header)
			}
		}
		var claims jwt.MapClaims
		inner := passed.Header.Get("Authorization")
		if _, _, err := jwt.NewParser().ParseUnverified(strings.TrimPrefix(inner, "Bearer "), &claims); err != nil || claims["oid"] != test.principal || inner == authorization {
			t.Errorf("%s: the backend gets %q, error %v", name, inner, err)
		}
		g.checkLog(t, authorization, inner)
		for _, want := range []string{`"oid"="` + test.principal + `"`, `"account"="shop/orders"`, `"status"=201`, `"action"="Microsoft.Storage/`} {
			if !strings.Contains(g.log.String(), want) {
				t.Errorf("%s: the log misses %s: %s", name, want, g.log.String())
			}
		}
	}
}

// Where the account admits keys, the backend checks what they sign, which is the request as it is.
func TestSharedKeyPasses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		target, authorization, want string
	}{
		"a shared key": {"/invoices/a%2Fb?comp=tags", "SharedKey open:SECRET", "/invoices/a%2Fb?comp=tags"},
		"a signature":  {"/invoices/a?sv=2026&sr=b&sig=SECRET", "", "/invoices/a?sv=2026&sr=b&sig=SECRET"},
	} {
		g := newGate(t)
		got := g.send(t, "GET", "https://open.blob."+domain+test.target, test.authorization, nil)
		if got.Code != http.StatusCreated || len(g.passed) != 1 || g.passed[0].RequestURI != test.want || g.passed[0].Header.Get("Authorization") != test.authorization {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
		g.checkLog(t, "SECRET")
	}
}

func TestCopySources(t *testing.T) {
	t.Parallel()
	const here = "https://orders.blob." + domain
	for name, test := range map[string]struct {
		principal, source, want string
	}{
		"a blob of the account":       {"writer", here + "/bills/a%2fb?snapshot=1", here + "/bills/a/b?snapshot=1"},
		"with a port":                 {"writer", "https://ORDERS.blob." + domain + ":443/bills/a%20b", here + "/bills/a%20b"},
		"of the caller's container":   {"clerk", here + "/invoices/b", here + "/invoices/b"},
		"of another container":        {"clerk", here + "/bills/b", ""},
		"of another account":          {"writer", "https://other.blob." + domain + "/bills/b", ""},
		"of a queue":                  {"writer", "https://orders.queue." + domain + "/bills/messages", ""},
		"of another host":             {"writer", "https://example.com/bills/b", ""},
		"of Azurite itself":           {"writer", "https://127.0.0.1:10000/orders/bills/b", ""},
		"of the metadata service":     {"writer", "http://169.254.169.254/metadata/identity", ""},
		"without TLS":                 {"writer", "http://orders.blob." + domain + "/bills/b", ""},
		"with a user":                 {"writer", "https://orders.blob." + domain + "@example.com/bills/b", ""},
		"with another port":           {"writer", "https://orders.blob." + domain + ":8443/bills/b", ""},
		"with a user here":            {"writer", "https://x@orders.blob." + domain + "/bills/b", ""},
		"with a signature":            {"writer", here + "/bills/b?sv=2026&sig=SECRET", ""},
		"with a signature and a time": {"writer", here + "/bills/b?snapshot=1&sig=SECRET", ""},
		"upwards":                     {"clerk", here + "/invoices/../bills/b", ""},
		"upwards, encoded":            {"clerk", here + "/invoices/%2e%2e/bills/b", ""},
		"a container":                 {"writer", here + "/bills", ""},
		"nothing":                     {"writer", "/bills/b", ""},
		"no URL":                      {"writer", "%", ""},
		"a fragment":                  {"writer", here + "/bills/b#c", ""},
	} {
		g := newGate(t)
		got := g.send(t, "PUT", "/invoices/a", g.token(t, test.principal, nil), map[string]string{
			copySource: test.source, "x-ms-copy-source-authorization": "Bearer SECRET",
		})
		if test.want == "" {
			if len(g.passed) != 0 || got.Code != http.StatusForbidden && got.Code != http.StatusBadRequest {
				t.Errorf("%s: %d, %d passed", name, got.Code, len(g.passed))
			}
			continue
		}
		if len(g.passed) != 1 || g.passed[0].Header.Get(copySource) != test.want || g.passed[0].Header.Get("x-ms-copy-source-authorization") != "" {
			t.Errorf("%s: %d %s, passed %v", name, got.Code, got.Body, g.passed)
		}
		g.checkLog(t, "SECRET")
	}
}

// A header that is given twice could be read in two ways.
func TestHeadersGivenTwice(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for _, name := range []string{"Authorization", copySource, blobType} {
		request := newRequest(t, "PUT", "/invoices/a", g.token(t, "writer", nil))
		request.Header.Add(name, "https://orders.blob."+domain+"/bills/a")
		request.Header.Add(name, "https://orders.blob."+domain+"/bills/b")
		if got := g.answer(request); got.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	if len(g.passed) > 0 {
		t.Error("one of them passes")
	}
}

func TestBackendIsAway(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.Backend.Ports = map[Service]int{Blob: 1}
	got := g.send(t, "GET", "/invoices/a", g.token(t, "writer", nil), nil)
	if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" || got.Header().Get("x-ms-error-code") != "ServerBusy" {
		t.Errorf("got %d %v", got.Code, got.Header())
	}
}
