package imds

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// These tests hold the points of the list at the end of clients.md that no HTTP client can see or cause. The others
// are held by test/conformance: 1 to 5, 9, 11, 13 to 15, 17, 18, 29 and 32. Of the rest, 31 is in server_test.go, 19 in
// internal/sidecar/tokencache, 24 in cmd/sidecar, 33 is the issuer's, 34 is in appservice_test.go, and 12 is a matter of the
// environment that SDKs are given.

func TestPoints6To10Selectors(t *testing.T) {
	t.Parallel()
	const resource = "https://vault.azure.net"
	for query, want := range map[string]Selector{
		"&msi_res_id=/a":  {ResourceID: "/a"}, // 6
		"&mi_res_id=/a":   {ResourceID: "/a"}, // 6
		"&object_id=o":    {ObjectID: "o"},    // 7
		"&principal_id=o": {ObjectID: "o"},    // 7
		"&resource_id=/a": {ResourceID: "/a"}, // 8
		"&msi-res-id=/a":  {ResourceID: "/a"}, // 9
		"":                {},                 // 10
	} {
		var asked []TokenRequest
		got := get(t, newIMDS().recordingTo(&asked).build(), tokenTarget(query))
		if got.status != http.StatusOK {
			t.Errorf("%q: %d %s", query, got.status, got.body)
		}
		if difference := cmp.Diff([]TokenRequest{{Resource: resource, Selector: want}}, asked); difference != "" {
			t.Errorf("%q (-want +got):\n%s", query, difference)
		}
	}
}

// Points 16, 28 and 30: the response repeats the requested resource.
func TestPoints16And28And30ResourceToTheByte(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"api-version=2018-02-01&resource=https://management.azure.com/":          "https://management.azure.com/",
		"resource=https%3A%2F%2Fmanagement.azure.com%2F&api-version=2018-02-01":  "https://management.azure.com/",
		"resource=https://disk.azure.com&api-version=2018-02-01&client_id=c":     "https://disk.azure.com",
		"api-version=2018-02-01&resource=api://AzureADTokenExchange":             "api://AzureADTokenExchange",
		"api-version=2018-02-01&resource=https%3a%2f%2fa.b%2f%3fc%3d%22d%22%26e": `https://a.b/?c="d"&e`,
		"api-version=2018-02-01&resource=%3Cb%C3%BCcher%3E%5C":                   `<bücher>\`,
	} {
		var asked []TokenRequest
		handler := newIMDS().recordingTo(&asked).build()
		for range 2 { // parsed, and remembered
			var got struct{ Resource string }
			if err := json.Unmarshal([]byte(get(t, handler, tokenPath+"?"+query).body), &got); err != nil || got.Resource != want {
				t.Errorf("%s: got %q, error %v", query, got.Resource, err)
			}
		}
		for _, request := range asked {
			if request.Resource != want {
				t.Errorf("%s: the source gets %q", query, request.Resource)
			}
		}
	}
}

// Points 20, 21, 22, 23, 25 and 26: the responses to errors of a source.
func TestPoints20To26Errors(t *testing.T) {
	t.Parallel()
	notFound := &Error{Status: 400, Code: "invalid_request", Description: "Identity not found", RetryAfter: time.Second}
	for name, test := range map[string]struct {
		err        error
		status     int
		body       string
		retryAfter string
	}{
		"unknown identity":   {notFound, 400, `{"error":"invalid_request","error_description":"Identity not found"}`, ""},
		"wrapped":            {errors.Join(errors.New("ask"), notFound), 400, `{"error":"invalid_request","error_description":"Identity not found"}`, ""},
		"throttled":          {&Error{Status: 429, Code: "too_many_requests", Description: "slow down", RetryAfter: 1500 * time.Millisecond}, 429, `{"error":"too_many_requests","error_description":"slow down"}`, "2"},
		"throttled, no wait": {&Error{Status: 429, Code: "too_many_requests", Description: "slow down"}, 429, `{"error":"too_many_requests","error_description":"slow down"}`, "5"},
		"away":               {Unavailable("later"), 503, `{"error":"service_unavailable","error_description":"later"}`, "5"},
		"away for long":      {&Error{Status: 503, Code: "service_unavailable", Description: "later", RetryAfter: time.Hour}, 503, `{"error":"service_unavailable","error_description":"later"}`, "25"},
		"another error":      {errors.New("dial tcp: secret details"), 503, `{"error":"service_unavailable","error_description":"The token or metadata could not be obtained, try again later"}`, "5"},
		"bad gateway":        {&Error{Status: 502, Code: "x", Description: "d"}, 503, `{"error":"service_unavailable","error_description":"d"}`, "5"},
		"forbidden":          {&Error{Status: 403, Code: "x", Description: "d"}, 503, `{"error":"service_unavailable","error_description":"d"}`, "5"},
		"not found":          {&Error{Status: 404, Code: "x", Description: "d"}, 503, `{"error":"service_unavailable","error_description":"d"}`, "5"},
		"like a proxy's":     {&Error{Status: 400, Code: "x", Description: "unreachable"}, 400, `{"error":"x","error_description":"out of reach"}`, ""},
		"with quotes":        {&Error{Status: 400, Code: "x", Description: `ManagedIdentity "a" <b>`}, 400, `{"error":"x","error_description":"ManagedIdentity \"a\" <b>"}`, ""},
		"success by mistake": {&Error{Status: 200, Code: "x", Description: "d"}, 503, `{"error":"service_unavailable","error_description":"d"}`, "5"},
		"no status":          {&Error{Description: "d"}, 503, `{"error":"service_unavailable","error_description":"d"}`, "5"},
		"not implemented":    {&Error{Status: 501, Code: "x", Description: "d"}, 503, `{"error":"service_unavailable","error_description":"d"}`, "5"},
		"negative wait":      {&Error{Status: 503, Code: "x", Description: "d", RetryAfter: -time.Second}, 503, `{"error":"x","error_description":"d"}`, "5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := get(t, newIMDS().failingWith(test.err).build(), tokenTarget(""))
			got.want(t, test.status, test.body)
			if wait := got.header.Get("Retry-After"); wait != test.retryAfter {
				t.Errorf("Retry-After = %q", wait)
			}
			if kind := got.header.Get("Content-Type"); kind != "application/json; charset=utf-8" {
				t.Errorf("Content-Type = %q", kind)
			}
		})
	}
	if got := get(t, newIMDS().build(), tokenTarget("")); got.header.Get("Retry-After") != "" {
		t.Error("a success has Retry-After")
	}
}

func TestPoint27ProbesAreNotLimited(t *testing.T) {
	t.Parallel()
	handler := newIMDS().build()
	for range 1000 {
		get(t, handler, tokenPath, "Metadata:").want(t, http.StatusBadRequest, noHeaderIdentity)
	}
}
