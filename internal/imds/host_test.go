package imds

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

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
