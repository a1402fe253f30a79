package imds

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"
)

// guid is what request IDs look like: random GUIDs.
var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

const (
	noHeaderIdentity = `{"error":"invalid_request","error_description":"Required metadata header not specified"}`
	noHeaderInstance = `{ "error": "Bad request: . Required metadata header not specified" }`
	badVersion       = `Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds`
	newest           = `"newest-versions":["2025-04-07","2024-07-17","2024-03-15"]`
)

func TestHeaderChecks(t *testing.T) {
	t.Parallel()
	const instance = instancePath + "?api-version=2021-02-01"
	for name, test := range map[string]struct {
		target, header string
		status         int
		body           string // not compared where empty
	}{
		"true":                         {tokenTarget(""), "Metadata: true", 200, ""},
		"True":                         {tokenTarget(""), "Metadata: True", 200, ""},
		"TRUE, instance":               {instance, "Metadata: TRUE", 200, ""},
		"no header, token":             {tokenTarget(""), "Metadata:", 400, noHeaderIdentity},
		"no header, nothing else":      {tokenPath, "Metadata:", 400, noHeaderIdentity},
		"no header, instance":          {instance, "Metadata:", 400, noHeaderInstance},
		"false":                        {tokenTarget(""), "Metadata: false", 400, noHeaderIdentity},
		"blank inside":                 {tokenTarget(""), "Metadata: tr ue", 400, noHeaderIdentity},
		"two values":                   {tokenTarget(""), "Metadata: true, true", 400, noHeaderIdentity},
		"forwarded, token":             {tokenTarget(""), "X-Forwarded-For: 10.0.0.1", 400, `{"error":"invalid_request","error_description":"Bad request. A request with the header X-Forwarded-For is not answered"}`},
		"forwarded, instance":          {instance, "x-forwarded-for: 10.0.0.1", 400, `{ "error": "Bad request. A request with the header X-Forwarded-For is not answered" }`},
		"forwarded by nobody":          {tokenTarget(""), "X-Forwarded-For: ", 400, ""},
		"from a browser, token":        {tokenTarget(""), "Origin: http://evil.example", 400, `{"error":"invalid_request","error_description":"Bad request. A request with the header Origin is not answered"}`},
		"from a browser, instance":     {instance, "sec-fetch-site: same-origin", 400, `{ "error": "Bad request. A request with the header Sec-Fetch-Site is not answered" }`},
		"from a page's image":          {instance, "Sec-Fetch-Dest: image", 400, ""},
		"by a proxy, token":            {tokenTarget(""), "Via: 1.1 proxy", 400, `{"error":"invalid_request","error_description":"Bad request. A request with the header Via is not answered"}`},
		"by a proxy, instance":         {instance, "Forwarded: for=10.0.0.1", 400, `{ "error": "Bad request. A request with the header Forwarded is not answered" }`},
		"by Node's fetch":              {tokenTarget(""), "Sec-Fetch-Mode: cors", 200, ""},
		"no version, token":            {tokenPath + "?resource=r", "Metadata: true", 400, `{"error":"invalid_request","error_description":"` + badVersion + `",` + newest + `}`},
		"no version, root":             {rootPath, "Metadata: true", 400, `{"error":"` + badVersion + `",` + newest + `}`},
		"root":                         {rootPath + "/?api-version=2021-02-01", "Metadata: true", 404, `{ "error": "Not found" }`},
		"no header, root":              {rootPath, "Metadata:", 400, noHeaderInstance},
		"no version, instance":         {instancePath, "Metadata: true", 400, `{"error":"` + badVersion + `",` + newest + `}`},
		"unknown version, instance":    {instancePath + "?api-version=2016-01-01", "Metadata: true", 400, `{"error":"` + badVersion + `",` + newest + `}`},
		"duplicates, instance":         {instance + "&api-version=2021-02-01", "Metadata: true", 400, `{ "error": "Bad request. A query parameter was specified more than once" }`},
		"a broken escape, in instance": {instance + "&a=%", "Metadata: true", 400, `{ "error": "Bad request. The query is malformed" }`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := get(t, newIMDS().build(), test.target, test.header)
			if test.body == "" {
				test.body = got.body
			}
			got.want(t, test.status, test.body)
		})
	}
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "get", "BREW"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			got := ask(t, newIMDS().build(), method, tokenTarget(""))
			got.want(t, http.StatusMethodNotAllowed, `{"error":"method_not_allowed","error_description":"Method not allowed"}`)
			if allow := got.header.Get("Allow"); allow != "GET" {
				t.Errorf("Allow is %q", allow)
			}
		})
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	t.Parallel()
	handler := newIMDS().build()
	seen := map[string]bool{}
	for range 1000 {
		id := get(t, handler, tokenTarget("")).header.Get("X-Ms-Request-Id")
		if !guid.MatchString(id) || seen[id] {
			t.Fatalf("x-ms-request-id is %q", id)
		}
		seen[id] = true
	}
}

func TestEndpointsWithoutSourcesDoNotExist(t *testing.T) {
	t.Parallel()
	handler := NewHandler(Sources{}, time.Now)
	for _, target := range []string{tokenTarget(""), infoPath + "?api-version=2018-02-01", instancePath + instanceVersion, eventsPath + "?api-version=2020-07-01"} {
		if got := get(t, handler, target); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	const (
		plain    = `{ "error": "Not found" }`
		identity = `{"error":"not_found","error_description":"Not found"}`
	)
	for target, body := range map[string]string{
		"/":                         plain,
		"/favicon.ico":              plain,
		"/metadataidentity":         plain,
		"/metadata/instances":       plain,
		"/metadata/identityoauth2":  plain,
		"/metadata/scheduledevent":  plain,
		"/metadata/identity":        identity,
		"/metadata/identity/oauth2": identity,
		tokenPath + "/x":            identity,
		"/metadata/identity/info/x": identity,
		"/metadata/versions/x":      plain,
		"*":                         plain,
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			get(t, newIMDS().build(), target).want(t, http.StatusNotFound, body)
		})
	}
}

func TestOtherHostsAreRefusedInTheShapeOfTheirPath(t *testing.T) {
	t.Parallel()
	handler := OnlyHosts(newIMDS().build(), func(host string) bool { return host == "127.0.0.1" })
	for target, body := range map[string]string{
		tokenTarget(""):                `{"error":"invalid_request","error_description":"Bad request. The request was made to a host name that is not this machine's"}`,
		instancePath + instanceVersion: `{ "error": "Bad request. The request was made to a host name that is not this machine's" }`,
	} {
		for host, status := range map[string]int{"example.com": http.StatusBadRequest, "127.0.0.1": http.StatusOK} {
			request := httptest.NewRequest(http.MethodGet, target, http.NoBody)
			request.Host, request.RequestURI = host, target
			request.Header.Set("Metadata", "true")
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if recorder.Code != status || status != http.StatusOK && recorder.Body.String() != body {
				t.Errorf("%s of %s: %d %s", target, host, recorder.Code, recorder.Body)
			}
		}
	}
}

func TestLocalHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"169.254.169.254": true, "169.254.169.254:80": true, "127.0.0.1": true, "127.0.0.1:8253": true, "[::1]": true,
		"[::1]:80": true, "localhost": true, "LocalHost:80": true, "": true,
		"evil.example": false, "evil.example:80": false, "localhost.evil.example": false, "169.254.169.254.nip.io": false,
		"metadata": false, "127.1": false, "2130706433": false, "localhost.": false, "user@169.254.169.254.evil": false,
	} {
		if got := LocalHost(host); got != want {
			t.Errorf("%q is this machine: %t", host, got)
		}
	}
}
