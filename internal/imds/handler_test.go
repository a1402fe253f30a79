package imds

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"
)

// guid matches request IDs: random GUIDs.
var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

const (
	noHeaderIdentity = `{"error":"invalid_request","error_description":"Required metadata header not specified"}`
	noHeaderInstance = `{ "error": "Bad request: . Required metadata header not specified" }`
	badVersion       = `Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds`
	newest           = `"newest-versions":["2025-04-07","2024-07-17","2024-03-15"]`
)

func TestRequestIDsDiffer(t *testing.T) {
	t.Parallel()
	handler := newIMDS().build()
	seen := map[string]bool{}
	for range 1000 {
		id := get(t, handler, tokenTarget("")).header.Get("X-Ms-Request-Id")
		if !guid.MatchString(id) || seen[id] {
			t.Fatalf("x-ms-request-id = %q", id)
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

func TestOtherHostsAreRefusedInThePathsErrorShape(t *testing.T) {
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
