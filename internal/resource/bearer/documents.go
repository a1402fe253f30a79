package bearer

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyset"
)

// maxDocument bounds what is read of the OIDC server's documents, in bytes.
const maxDocument = 8 << 20

// Documents returns where the OIDC server's documents of a tenant are: its discovery document and the keys, which are those of all tenants.
// They are read at an address, or at the URL's own if that is "".
func Documents(baseURL, address, tenant string, roots func() *x509.CertPool) keyset.Documents {
	return keyset.Documents{
		Source:    &web{baseURL, address, roots},
		Discovery: "/" + tenant + "/v2.0/.well-known/openid-configuration", JWKS: "/" + tenant + "/discovery/v2.0/keys",
	}
}

// web reads documents over TLS from a server whose certificate an authority of this installation signed.
type web struct {
	baseURL, address string
	roots            func() *x509.CertPool
}

var errNoRoots = errors.New("the authority of the OIDC server's certificate is not known yet")

// Read implements keyset.Source.
func (w *web) Read(ctx context.Context, path string) ([]byte, error) {
	roots := w.roots()
	if roots == nil {
		return nil, errNoRoots
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.baseURL+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	// It is sent every few minutes at the most, so no connection is kept.
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, cmp.Or(w.address, address))
		},
	}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %d", response.StatusCode)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxDocument {
		return nil, fmt.Errorf("it has more than %d bytes", maxDocument)
	}
	return content, nil
}
