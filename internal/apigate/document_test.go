package apigate

import (
	"errors"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// orders returns the document of the tests.
func orders(t testing.TB) *Document {
	t.Helper()
	content, err := os.ReadFile("testdata/orders.yaml")
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadDocument(t.Context(), content)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// findIn returns the name of the operation that a request means, or the code of its refusal.
func findIn(document *Document, method, target string) string {
	segments, err := parsePath(httptest.NewRequest(method, target, nil).URL)
	if err == nil {
		var operation *Operation
		if operation, _, err = document.find(method, segments); err == nil {
			return operation.Name
		}
	}
	failed, _ := errors.AsType[*Failure](err)
	return failed.Code
}

func TestFind(t *testing.T) {
	t.Parallel()
	document := orders(t)
	const notFound, noMethod, uri, ambiguous = "ResourceNotFound", "MethodNotAllowed", "InvalidUri", "AmbiguousUri"
	for request, want := range map[string]string{
		"GET /v1/health":                  "health",
		"GET /v1/orders":                  "listOrders",
		"POST /v1/orders":                 "createOrder",
		"GET /v1/orders/7":                "getOrder",
		"GET /v1/orders/%37":              "getOrder",
		"GET /v1/orders/a%20b+c":          "getOrder",
		"GET /v1/orders/%c3%bc":           "getOrder",
		"GET /v1/orders/50%25":            "getOrder",
		"GET /v1/orders/...7":             "getOrder",
		"DELETE /v1/orders/7":             "deleteOrder",
		"POST /v1/orders/purge":           "purgeOrders",
		"GET /v1/orders/7/invoice.pdf":    "getInvoice",
		"GET /v1/files/a.b.csv":           "getFile",
		"GET /v1/files/report.csv":        "getReport",
		"GET /v1/items/":                  "listItems",
		"GET /v1/acme/export":             "export",
		"GET http://other.example/v1/o/x": notFound,

		// Nothing that the document does not have.
		"GET /":                        notFound,
		"GET /orders":                  notFound,
		"GET /v1":                      notFound,
		"GET /v1/Orders":               notFound,
		"GET /V1/orders":               notFound,
		"GET /v1/orders/":              notFound,
		"GET /v1/items":                notFound,
		"GET /v1/orders/7/":            notFound,
		"GET /v1/orders/7/invoice.PDF": notFound,
		"GET /v1/orders/7/invoice":     notFound,
		"GET /v1/files/.csv":           notFound,
		"HEAD /v1/orders":              noMethod,
		"OPTIONS /v1/orders":           noMethod,
		"TRACE /v1/orders":             noMethod,
		"get /v1/orders":               noMethod,
		"GET /v1/orders/purge":         noMethod,
		"DELETE /v1/orders/purge":      noMethod,

		// What others could take for another path.
		"GET /v1/orders/PURGE":              ambiguous,
		"DELETE /v1/orders/Purge":           ambiguous,
		"DELETE /v1/orders/purge%20":        ambiguous,
		"DELETE /v1/orders/%20purge":        ambiguous,
		"DELETE /v1/orders/purge.json":      ambiguous,
		"DELETE /v1/orders/purge.":          ambiguous,
		"GET /v1/files/REPORT.csv":          ambiguous,
		"GET /v1/orders/export":             ambiguous,
		"OPTIONS *":                         uri,
		"GET /v1//orders":                   uri,
		"GET //v1/orders":                   uri,
		"GET /v1/orders//":                  uri,
		"GET /v1/orders/.":                  uri,
		"GET /v1/orders/..":                 uri,
		"GET /v1/orders/../health":          uri,
		"GET /v1/orders/%2e%2e/health":      uri,
		"GET /v1/orders/%2E./purge":         uri,
		"GET /v1/orders/..%20":              uri,
		"GET /v1/orders/...":                uri,
		"GET /v1/orders/7%2fpurge":          uri,
		"GET /v1/orders/7%2Fpurge":          uri,
		"GET /v1/orders%2f7":                uri,
		"GET /v1/orders/7%5cpurge":          uri,
		`GET /v1/orders/7\purge`:            uri,
		"GET /v1/orders/7%252fpurge":        uri,
		"GET /v1/orders/%252e%252e":         uri,
		"GET /v1/orders/7;admin=true":       uri,
		"GET /v1/orders;/7":                 uri,
		"GET /v1/health;/../orders":         uri,
		"GET /v1/orders/7%3bx":              uri,
		"GET /v1/orders/7%00":               uri,
		"GET /v1/orders/7%0a":               uri,
		"GET /v1/orders/7%7f":               uri,
		"GET /v1/orders/%ff":                uri,
		"GET /v1/orders/%c0%af":             uri,
		"GET /v1/orders/%c0%ae%c0%ae/7":     uri,
		"GET /" + strings.Repeat("a", 2048): uri,
	} {
		method, target, _ := strings.Cut(request, " ")
		if got := findIn(document, method, target); got != want {
			t.Errorf("%.80s: %s, want %s", request, got, want)
		}
	}
}

func TestRolesOfOperations(t *testing.T) {
	t.Parallel()
	document := orders(t)
	for request, want := range map[string]*Operation{
		"GET /v1/health":  {Name: "health", Public: true},
		"GET /v1/orders":  {Name: "listOrders", Alternatives: [][]v1alpha1.RoleName{{"Orders.Read"}}},
		"POST /v1/orders": {Name: "createOrder", Alternatives: [][]v1alpha1.RoleName{{"Orders.Write"}, {"Orders.Read", "Orders.Create"}}},
	} {
		method, target, _ := strings.Cut(request, " ")
		segments, err := parsePath(httptest.NewRequest(method, target, nil).URL)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := document.find(method, segments); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, error %v", request, got, err)
		}
	}
}

// minimal returns a document with a path item and more at its top.
func minimal(path, item, more string) string {
	return `openapi: 3.0.3
info: {title: t, version: "1"}
components: {securitySchemes: {entra: {type: oauth2, flows: {}}, key: {type: apiKey, in: header, name: k}, basic: {type: http, scheme: basic},
  token: {type: http, scheme: Bearer}}}
` + more + `
paths: {"` + path + `": ` + item + `}
`
}

const responses = `responses: {"200": {description: fine}}`

func TestDocumentsThatAreRefused(t *testing.T) {
	t.Parallel()
	get := func(security string) string { return "{get: {" + security + responses + "}}" }
	for name, test := range map[string]struct{ document, message string }{
		"nothing":              {"", "OpenAPI document"},
		"no document":          {"a: [", "read the OpenAPI document"},
		"Swagger 2":            {`{"swagger": "2.0", "info": {"title": "t", "version": "1"}, "paths": {}}`, "read the OpenAPI document"},
		"no operations":        {minimal("/a", "{}", ""), "no operations"},
		"no security":          {minimal("/a", get(""), ""), "GET /a: it does not say who may call it"},
		"public as a whole":    {minimal("/a", get(""), "security: []"), "GET /a: it does not say who may call it"},
		"no role":              {minimal("/a", get("security: [{entra: []}], "), ""), "names no role"},
		"optional":             {minimal("/a", get("security: [{}, {entra: [a]}], "), ""), "must name one scheme, not 0"},
		"two schemes":          {minimal("/a", get("security: [{entra: [a], token: [a]}], "), ""), "must name one scheme, not 2"},
		"a key as alternative": {minimal("/a", get("security: [{entra: [a]}, {key: []}], "), ""), "key is none of tokens"},
		"basic":                {minimal("/a", get("security: [{basic: []}], "), ""), "basic is none of tokens"},
		"an unknown scheme":    {minimal("/a", get("security: [{other: [a]}], "), ""), "other"},
		"a role with a space":  {minimal("/a", get("security: [{entra: [a b]}], "), ""), `role "a b" is none that can be assigned`},
		"a long role":          {minimal("/a", get("security: [{entra: ["+strings.Repeat("a", 121)+"]}], "), ""), "is none that can be assigned"},
		"servers of a path":    {minimal("/a", "{servers: [{url: /x}], get: {"+responses+"}}", "security: [{entra: [a]}]"), "servers of its own"},
		"servers of an operation": {
			minimal("/a", "{get: {servers: [{url: /x}], "+responses+"}}", "security: [{entra: [a]}]"), "servers of its own",
		},
		"a double slash":     {minimal("/a//b", get("security: [], "), ""), "lets no such path pass"},
		"dots":               {minimal("/a/../b", get("security: [], "), ""), "lets no such path pass"},
		"an encoded slash":   {minimal("/a%2fb", get("security: [], "), ""), "lets no such path pass"},
		"a semicolon":        {minimal("/a;b", get("security: [], "), ""), "lets no such path pass"},
		"a query":            {minimal("/a?b=c", get("security: [], "), ""), "lets no such path pass"},
		"many segments":      {minimal(strings.Repeat("/a", 65), get("security: [], "), ""), "more than 64 segments"},
		"too long":           {strings.Repeat(" ", MaxDocument+1), "more than 4194304 bytes"},
		"a file beside it":   {minimal("/a", "{$ref: '/etc/passwd'}", ""), "read the OpenAPI document"},
		"a document from it": {minimal("/a", "{$ref: 'http://169.254.169.254/x'}", ""), "read the OpenAPI document"},
	} {
		read, err := ReadDocument(t.Context(), []byte(test.document))
		if err == nil || read != nil || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: got %v, error %v", name, read, err)
		}
	}
}

// named returns the parameter of a path.
func named(name string) string {
	return "parameters: [{name: " + name + ", in: path, required: true, schema: {type: string}}], "
}

func TestDocumentsThatAreServed(t *testing.T) {
	t.Parallel()
	get := func(security string) string { return "{get: {" + security + responses + "}}" }
	for name, test := range map[string]struct{ document, method, path, want string }{
		"a bearer scheme":     {minimal("/a", get("security: [{token: [a]}], "), ""), "GET", "/a", "GET /a"},
		"several servers":     {minimal("/a", get(""), "security: [{entra: [a]}]\nservers: [{url: /one}, {url: 'https://a.example/two/'}, {url: /one}]"), "GET", "/two/a", "GET /two/a"},
		"the root":            {minimal("/", get("security: [], "), ""), "GET", "/", "GET /"},
		"OpenAPI 3.1":         {strings.Replace(minimal("/a", get("security: [], "), ""), "3.0.3", "3.1.0", 1), "GET", "/a", "GET /a"},
		"an encoded literal":  {minimal("/a%20b", get("security: [], "), ""), "GET", "/a%20b", "GET /a%20b"},
		"a path and a format": {strings.Replace(minimal("/a", get("security: [], "), ""), "paths: {", "paths: {/a.json: "+get("security: [], ")+", ", 1), "GET", "/a.json", "GET /a.json"},
		"two of a precision": {
			strings.Replace(minimal("/{a}.csv", get("security: [], "+named("a")), ""), "paths: {", "paths: {'/report.{b}': "+get("security: [], "+named("b"))+", ", 1),
			"GET", "/report.csv", "AmbiguousUri",
		},
	} {
		read, err := ReadDocument(t.Context(), []byte(test.document))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := findIn(read, test.method, test.path); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// Nothing that somebody sends makes the gate panic, and what passes is what the backend gets.
func FuzzFind(f *testing.F) {
	document := orders(f)
	for _, seed := range []string{"/v1/orders/7", "/v1/orders/%2e%2e/health", "/v1/orders/purge.json", "//", "/v1/files/a.b"} {
		f.Add("GET", seed)
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		request, err := parseRequest(method, target)
		if err != nil {
			return
		}
		segments, err := parsePath(request)
		if err != nil {
			return
		}
		found, _, err := document.find(method, segments)
		sent := backendURL(orderBackend, segments, "")
		// The backend reads the URL that the gate writes.
		again, parseErr := parseRequest(method, sent.RequestURI())
		if parseErr != nil {
			t.Fatalf("the backend cannot read %q", sent.RequestURI())
		}
		back, pathErr := parsePath(again)
		if pathErr != nil || !reflect.DeepEqual(back, segments) {
			t.Fatalf("the gate reads %q and the backend %q (%v)", segments, back, pathErr)
		}
		if other, _, otherErr := document.find(method, back); other != found || !errors.Is(otherErr, err) {
			t.Fatalf("the gate finds %v and the backend %v", found, other)
		}
	})
}

func FuzzReadDocument(f *testing.F) {
	content, err := os.ReadFile("testdata/orders.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(content))
	f.Add(minimal("/a/{b}", "{get: {security: [], "+responses+"}}", ""))
	f.Fuzz(func(t *testing.T, text string) {
		read, err := ReadDocument(t.Context(), []byte(text))
		if (read == nil) != (err != nil) {
			t.Errorf("got %v, error %v", read, err)
		}
	})
}
