package signerclient

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// newClient returns a client of a server, with the token "issuer-token".
func newClient(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return clientOf(t, server.URL, func() *x509.CertPool { return roots })
}

func clientOf(t *testing.T, url string, roots func() *x509.CertPool) *Client {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("issuer-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return New(Options{URL: url, TokenFile: file, Roots: roots})
}

var request = signerapi.TokenRequest{Pod: signerapi.Pod{UID: "uid"}, Identity: "orders", Resource: "r"}

func answer(t *testing.T, writer http.ResponseWriter, body any) {
	if err := json.NewEncoder(writer).Encode(body); err != nil {
		t.Error(err)
	}
}

func TestRequestToTheSigner(t *testing.T) {
	t.Parallel()
	client := newClient(t, func(writer http.ResponseWriter, asked *http.Request) {
		var got signerapi.TokenRequest
		if err := json.NewDecoder(asked.Body).Decode(&got); err != nil || got != request {
			t.Errorf("request = %+v, error %v", got, err)
		}
		if asked.Header.Get("Authorization") != "Bearer issuer-token" || asked.URL.Path != signerapi.TokenPath {
			t.Errorf("path = %s, Authorization = %q", asked.URL.Path, asked.Header.Get("Authorization"))
		}
		answer(t, writer, signerapi.TokenResponse{Token: "signed", ExpiresOn: 7})
	})
	got, err := client.Token(t.Context(), request)
	if err != nil || got.Token != "signed" || got.ExpiresOn != 7 {
		t.Errorf("got %+v, error %v", got, err)
	}
}

// A replica that ends in the middle of a request does not fail it.
func TestAnotherReplicaIsTried(t *testing.T) {
	t.Parallel()
	for name, failing := range map[string]http.HandlerFunc{
		"killed":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"hangs":      hang,
		"not up yet": func(writer http.ResponseWriter, _ *http.Request) { writer.WriteHeader(http.StatusBadGateway) },
		"lags":       refusing(http.StatusServiceUnavailable),
		"denies":     refusing(http.StatusForbidden),
		"refuses":    refusing(http.StatusBadRequest),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			client := newClient(t, func(writer http.ResponseWriter, request *http.Request) {
				if asked.Add(1) == 1 {
					failing(writer, request)
					return
				}
				answer(t, writer, signerapi.TokenResponse{Token: "signed"})
			})
			if _, err := client.Token(t.Context(), request); err != nil {
				t.Errorf("got error %v after %d attempts", err, asked.Load())
			}
		})
	}
}

// hang answers once the client is gone, which a server notices after it has read the request.
func hang(_ http.ResponseWriter, asked *http.Request) {
	_, _ = io.Copy(io.Discard, asked.Body)
	<-asked.Context().Done()
}

func refusing(status int) http.HandlerFunc {
	return func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Retry-After", "7")
		writer.WriteHeader(status)
		_ = json.NewEncoder(writer).Encode(signerapi.Error{Code: "code", Description: "description", Reason: "Reason", Detail: "detail"})
	}
}

// It takes a person to publish a key, so no request waits for that.
func TestUnpublishedKeyIsToldAtOnce(t *testing.T) {
	t.Parallel()
	asked := 0
	client := newClient(t, func(writer http.ResponseWriter, _ *http.Request) {
		asked++
		writer.Header().Set("Retry-After", "7")
		writer.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(writer).Encode(signerapi.Error{Reason: failure.ReasonNotPublished, Detail: "publish it"})
	})
	_, err := client.Assertion(t.Context(), signerapi.AssertionRequest{})
	failed := failure.Of(err)
	if asked != 1 || failed.Reason != failure.ReasonNotPublished || !strings.Contains(failed.Detail, "publish it") || failed.RetryAfter != 7*time.Second {
		t.Errorf("asked %d times, failure = %+v", asked, failed)
	}
}

func TestRefusalIsReturned(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status  int
		want    failure.Kind
		reason  string
		patient bool
	}{
		"forbidden":          {403, failure.Forbidden, "Reason", false},
		"refused":            {400, failure.Invalid, "Reason", false},
		"throttled":          {429, failure.Throttled, "Reason", false},
		"unavailable":        {503, failure.Unavailable, "Unavailable", true},
		"unauthenticated":    {401, failure.Unavailable, "Unavailable", true},
		"some other failure": {500, failure.Unavailable, "Unavailable", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, refusing(test.status))
			start := time.Now()
			_, err := client.Token(t.Context(), request)
			failed := failure.Of(err)
			if err == nil || failed.Kind != test.want || failed.Reason != test.reason || !strings.Contains(failed.Detail, "detail") {
				t.Errorf("failure = %+v", failed)
			}
			if took := time.Since(start); (took >= patience) != test.patient {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestSignerOfAnotherAuthorityIsNotAsked(t *testing.T) {
	t.Parallel()
	client := newClient(t, func(http.ResponseWriter, *http.Request) { t.Error("another authority's signer is asked") })
	for name, roots := range map[string]*x509.CertPool{"no authority": nil, "another one": x509.NewCertPool()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := clientOf(t, client.url, func() *x509.CertPool { return roots })
			_, err := other.Token(t.Context(), request)
			if failed := failure.Of(err); err == nil || failed.Kind != failure.Unavailable {
				t.Errorf("failure = %+v", failed)
			}
		})
	}
}

// transport answers every request with a text, and keeps the request.
type transport struct {
	asked *http.Request
	text  string
}

func (r *transport) RoundTrip(asked *http.Request) (*http.Response, error) {
	r.asked = asked
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(r.text))}, nil
}

// A view lasts longer than an attempt may.
func TestViewStaysOpen(t *testing.T) {
	t.Parallel()
	client := clientOf(t, "https://signer.test", nil)
	synctest.Test(t, func(t *testing.T) {
		answers := &transport{text: "lines"}
		client.http = &http.Client{Transport: answers}
		view, err := client.View(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		asked := answers.asked
		if asked.Method != http.MethodGet || asked.URL.Path != signerapi.ViewPath || asked.Header.Get("Authorization") != "Bearer issuer-token" {
			t.Errorf("%s %s, Authorization = %q", asked.Method, asked.URL.Path, asked.Header.Get("Authorization"))
		}
		time.Sleep(time.Hour)
		if err := asked.Context().Err(); err != nil {
			t.Errorf("the view has ended: %v", err)
		}
		if text, err := io.ReadAll(view); err != nil || string(text) != "lines" {
			t.Errorf("view = %q, error %v", text, err)
		}
	})
}

func TestViewThatDoesNotBegin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		kind    failure.Kind
	}{
		"hangs":   {hang, failure.Unavailable},
		"denies":  {refusing(http.StatusForbidden), failure.Forbidden},
		"refuses": {refusing(http.StatusUnauthorized), failure.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			view, err := newClient(t, test.handler).View(t.Context())
			if err == nil {
				_ = view.Close()
			}
			if got := failure.Of(err); err == nil || got.Kind != test.kind {
				t.Errorf("error = %v", err)
			}
		})
	}
}
