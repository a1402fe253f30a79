package imds

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzTokenRequest: what is read can be asked for again, and what is refused is refused with 400.
func FuzzTokenRequest(f *testing.F) {
	f.Add("api-version=2018-02-01&resource=https://vault.azure.net")
	f.Add("api-version=2018-02-01&resource=r&client_id=c&object_id=o")
	f.Add("api-version=2018-02-01&resource=%00")
	f.Add("resource=a;b&%zz")
	f.Fuzz(func(t *testing.T, query string) {
		request, refusal := parseTokenRequest(query)
		if refusal != nil {
			if refusal.Status != http.StatusBadRequest {
				t.Errorf("%q is refused with %d", query, refusal.Status)
			}
			return
		}
		if request.Resource == "" || !utf8.ValidString(request.Resource) {
			t.Errorf("%q asks for %q", query, request.Resource)
		}
	})
}

// FuzzHandler: no request makes the handler panic or fail, and a token is answered on its own path alone.
func FuzzHandler(f *testing.F) {
	f.Add("GET", tokenTarget(""), "true")
	f.Add("GET", instancePath+instanceVersion, "true")
	f.Add("GET", instancePath+"/compute/tagsList/0/name?api-version=2021-02-01&format=text", "True")
	f.Add("GET", `/metadata/identity\oauth2\token/?api-version=2018-02-01&resource=r`, "true")
	f.Add("POST", "/metadata/identity/issuecredential", "")
	f.Add("POST", eventsPath+"?api-version=2020-07-01", "true")
	f.Add("GET", infoPath+"?api-version=2018-02-01&Client_Id=c", "true")
	f.Add("GET", attestedPath+"?api-version=2018-10-01&nonce=1234567890", "true")
	f.Add("GET", loadBalancerPath+"?api-version=2020-10-01", "true")
	f.Add("HEAD", "*", "")
	sources := newIMDS().sources()
	sources.LoadBalancers = balancersFunc(func() (*LoadBalancer, error) { return &LoadBalancer{}, nil })
	sources.Attestations = attestationsFunc(func(AttestationRequest) ([]byte, error) { return []byte("signed"), nil })
	handler := NewHandler(sources, time.Now)
	f.Fuzz(func(t *testing.T, method, target, metadata string) {
		request := &http.Request{Method: method, RequestURI: target, Header: http.Header{"Metadata": {metadata}}, Body: http.NoBody}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request.WithContext(t.Context()))
		if recorder.Code >= 500 {
			t.Errorf("%q %q: %d", method, target, recorder.Code)
		}
		if length := recorder.Body.Len(); length > mostAnswered {
			t.Errorf("%q %q is answered with %d bytes", method, target, length)
		}
		path, _, _ := strings.Cut(target, "?")
		asksForToken := strings.EqualFold(strings.ReplaceAll(path, "/", ""), "metadataidentityoauth2token")
		if contains(recorder.Body.String(), "access_token") && !asksForToken {
			t.Errorf("%q %q is answered with a token", method, target)
		}
	})
}

// FuzzStartRequests: what is read names events, and what is refused is refused with 400.
func FuzzStartRequests(f *testing.F) {
	f.Add(`{"StartRequests":[{"EventId":"C7061BAC-AFDC-4513-B24B-AA5F13A16123"}]}`)
	f.Add(`{"startrequests":[null]}`)
	f.Add(`{"StartRequests":{}}`)
	f.Fuzz(func(t *testing.T, body string) {
		ids, refusal := parseStartRequests(strings.NewReader(body))
		if refusal != nil && refusal.Status != http.StatusBadRequest {
			t.Errorf("%q is refused with %d", body, refusal.Status)
		}
		if refusal == nil && (len(ids) == 0 || slices.Contains(ids, "")) {
			t.Errorf("%q lets %q begin", body, ids)
		}
	})
}
