package storagegate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/resource/stream"
)

// Backend is Azurite, which listens on this pod's loopback address alone.
type Backend struct {
	// Ports are those of the services.
	Ports map[Service]int

	// Transport trusts its certificate alone.
	Transport http.RoundTripper

	Now func() time.Time

	mu      sync.Mutex
	asked   time.Time
	answers bool
}

// askEvery bounds how often the backend is asked whether it answers.
const askEvery = time.Second

// Answers reports whether the backend answers at all, or did so a moment ago: anybody may ask.
func (b *Backend) Answers(ctx context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.Now(); now.Sub(b.asked) >= askEvery {
		b.answers, b.asked = b.ask(ctx), now
	}
	return b.answers
}

func (b *Backend) ask(ctx context.Context) bool {
	for _, service := range []Service{Blob, Queue, Table} {
		if _, _, err := b.send(ctx, http.MethodGet, "none", service, "/?comp=list", nil); err != nil {
			return false
		}
	}
	return true
}

// NewTransport returns the transport to a server with a certificate of its own, whose name is BackendName.
func NewTransport(certificate *x509.Certificate) *http.Transport {
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: BackendName, MinVersion: tls.VersionTLS13},
		// A body passes as it is.
		DisableCompression:  true,
		MaxIdleConnsPerHost: 64,
		// Azurite closes idle connections after five seconds.
		IdleConnTimeout:       3 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute,
		WriteBufferSize:       stream.BufferSize,
		ReadBufferSize:        stream.BufferSize,
	}
}

// address returns the URL of a service, with the path and query of a request.
func (b *Backend) address(service Service, of *url.URL) *url.URL {
	return &url.URL{
		Scheme: "https", Host: fmt.Sprintf("127.0.0.1:%d", b.Ports[service]), Path: of.Path, RawPath: of.RawPath, RawQuery: of.RawQuery,
	}
}

// authorization returns what tells Azurite to carry out a request of a principal. Azurite reads tokens and checks no signature, so that of the
// caller would prove nothing there; it stays in the gate.
func (b *Backend) authorization(principal, tenant string) (string, error) {
	now := b.Now()
	claims := jwt.MapClaims{
		"iss": "https://sts.windows.net/" + tenant + "/", "aud": Resource, "oid": principal, "tid": tenant,
		"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		return "", fmt.Errorf("make a token for Azurite: %w", err)
	}
	return "Bearer " + signed, nil
}
