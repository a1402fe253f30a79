package cabundle

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestCertificateIsGivenToAnybody(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	certificate := server.Certificate()
	latest := &Latest{}
	if got := get(latest, CertificatePath); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" || latest.Ready() {
		t.Errorf("before there is one, the answer is %d %s", got.Code, got.Body)
	}
	latest.Tell(map[string]string{Key: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))})
	for _, gone := range []map[string]string{{}, {Key: "garbage"}, nil} {
		latest.Tell(gone)
	}
	if got := get(latest, CertificatePath); got.Code != http.StatusOK || !bytes.Equal(got.Body.Bytes(), certificate.Raw) {
		t.Errorf("the answer is %d", got.Code)
	}
	for _, path := range []string{"/", "/ca.key", "/metrics"} {
		if got := get(latest, path); got.Code != http.StatusNotFound {
			t.Errorf("%s is answered with %d", path, got.Code)
		}
	}
	response, err := (&http.Client{Transport: transportOf(latest)}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

func get(latest *Latest, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	latest.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder
}

func transportOf(latest *Latest) *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: latest.Pool(), MinVersion: tls.VersionTLS13}}
}
