package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/internal/federation"
	"github.com/kube-imds/kube-imds/internal/federation/installation"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/token"
)

func TestCheckComparesWithWhatIsPublic(t *testing.T) {
	t.Parallel()
	key := build.Key(t)
	jwks, err := token.JWKS([]*token.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{federation.KeysPath: jwks}
	server := httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		writer.Header().Set("Content-Type", "application/json")
		_, _ = writer.Write(files[request.URL.Path])
	}))
	defer server.Close()
	issuer := federation.Issuer{URL: server.URL}
	if files[federation.DiscoveryPath], err = issuer.Discovery(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		keys []string
		err  error
		line string
	}{
		"all are public": {[]string{key.ID}, nil, "key " + key.ID + " is public"},
		"one is missing": {[]string{key.ID, "next"}, errNotPublished, "key next is missing"},
	} {
		var output bytes.Buffer
		err := checkPublished(t.Context(), server.Client(), &installation.Installation{Issuer: issuer, KeyIDs: test.keys}, &output)
		if !errors.Is(err, test.err) || !strings.Contains(output.String(), test.line) {
			t.Errorf("%s: got %v:\n%s", name, err, &output)
		}
	}
}

func TestUnknownFormatOfACredentialIsRefused(t *testing.T) {
	t.Parallel()
	err := execute([]string{"federation", "credential", "orders", "-o", "arm"}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "want az, bicep, terraform") {
		t.Errorf("got %v", err)
	}
}
