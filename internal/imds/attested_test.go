package imds

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// attestationsFunc is a source of attested documents.
type attestationsFunc func(AttestationRequest) ([]byte, error)

func (f attestationsFunc) Attest(_ context.Context, request AttestationRequest) ([]byte, error) {
	return f(request)
}

func TestAttestedDocument(t *testing.T) {
	t.Parallel()
	const target = attestedPath + "?api-version=2021-02-01"
	for query, want := range map[string]AttestationRequest{
		"":                                    {Version: "2021-02-01"},
		"&nonce=":                             {Version: "2021-02-01"},
		"&nonce=1234567890":                   {"1234567890", "2021-02-01"},
		"&nonce=a-_Z":                         {"a-_Z", "2021-02-01"},
		"&nonce=aZ" + strings.Repeat("9", 30): {"aZ" + strings.Repeat("9", 30), "2021-02-01"},
	} {
		var asked []AttestationRequest
		source := attestationsFunc(func(request AttestationRequest) ([]byte, error) {
			asked = append(asked, request)
			return []byte{0x30, 0x82, 0xff}, nil
		})
		get(t, NewHandler(Sources{Attestations: source}, time.Now), target+query).want(t, http.StatusOK, `{"encoding":"pkcs7","signature":"MIL/"}`)
		if difference := cmp.Diff([]AttestationRequest{want}, asked); difference != "" {
			t.Errorf("%q (-want +got):\n%s", query, difference)
		}
	}
}

func TestAttestedDocumentIsRefused(t *testing.T) {
	t.Parallel()
	const badNonce = `{ "error": "Bad request. The nonce is at most 32 letters, digits, hyphens and underscores" }`
	for query, want := range map[string]struct {
		status int
		body   string
	}{
		"?api-version=2018-04-02": {400, `{"error":"` + badVersion + `",` + newest + `}`},
		"?api-version=2018-10-01&nonce=" + strings.Repeat("1", maxNonce+1): {400, badNonce},
		"?api-version=2018-10-01&nonce=a+b":                                {400, badNonce},
		"?api-version=2018-10-01&nonce=%C3%BC":                             {400, badNonce},
		"?api-version=2018-10-01&nonce=1&nonce=2":                          {400, `{ "error": "Bad request. A query parameter was specified more than once" }`},
		"?api-version=2018-10-01":                                          {503, `{ "error": "later" }`},
	} {
		source := attestationsFunc(func(AttestationRequest) ([]byte, error) { return nil, Unavailable("later") })
		get(t, NewHandler(Sources{Attestations: source}, time.Now), attestedPath+query).want(t, want.status, want.body)
	}
	if got := get(t, newIMDS().build(), attestedPath+"?api-version=2018-10-01"); got.status != http.StatusNotFound {
		t.Errorf("without a source: %d", got.status)
	}
}
