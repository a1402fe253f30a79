package outbound

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// get sends a request with the transport of options.
func get(t *testing.T, o Options, url string) (*http.Response, error) {
	t.Helper()
	transport, err := o.Transport()
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Get(url)
	if err == nil {
		_ = response.Body.Close()
	}
	return response, err
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOwnAuthorityIsTrusted(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := get(t, Options{}, server.URL); err == nil {
		t.Error("the server is trusted without its authority")
	}
	roots := file(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	if _, err := get(t, Options{CAFile: roots}, server.URL); err != nil {
		t.Error(err)
	}
}

func TestProxyIsAsked(t *testing.T) {
	t.Parallel()
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		asked = request.Method + " " + request.Host
		writer.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	if _, err := get(t, Options{Proxy: proxy.URL}, "https://login.example/tenant"); err == nil || asked != "CONNECT login.example:443" {
		t.Errorf("the proxy was asked %q: %v", asked, err)
	}
}

func TestInvalidOptionsAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options Options
		message string
	}{
		"no file":        {Options{CAFile: "/does/not/exist"}, "--outbound-ca-file"},
		"no certificate": {Options{CAFile: file(t, []byte("none"))}, "no certificate"},
		"no proxy URL":   {Options{Proxy: "me:secret@proxy"}, "--outbound-proxy"},
	} {
		if _, err := test.options.Transport(); err == nil || !strings.Contains(err.Error(), test.message) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", name, err, test.message)
		}
	}
}
