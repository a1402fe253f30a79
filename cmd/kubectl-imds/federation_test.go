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
		keys     []string
		recorded map[string]bool // nil if the signer reads the files itself
		err      error
		line     string
	}{
		"all are public":  {[]string{key.ID}, nil, nil, "key " + key.ID + " is public\n"},
		"one is missing":  {[]string{key.ID, "next"}, nil, errNotPublished, "key next is missing"},
		"not recorded":    {[]string{key.ID}, map[string]bool{}, errNotRecorded, "key " + key.ID + " is public, but not recorded"},
		"recorded":        {[]string{key.ID}, map[string]bool{key.ID: true}, nil, "key " + key.ID + " is public, and recorded"},
		"gone since then": {[]string{"gone", key.ID}, map[string]bool{"gone": true}, errNotPublished, "key gone is missing"},
	} {
		var output bytes.Buffer
		issuer.Recorded = test.recorded != nil
		err := publicationCheck{
			found: &installation.Installation{Issuer: issuer, KeyIDs: test.keys, Recorded: test.recorded}, web: server.Client(), output: &output,
		}.run(t.Context())
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
