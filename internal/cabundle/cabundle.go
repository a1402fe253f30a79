// Package cabundle is the certificate of the installation's authority, as those know it who verify what it signed.
package cabundle

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"sync/atomic"
)

// Key is the key of the authority's certificate, in PEM, in its Secret and its ConfigMap.
const Key = "ca.crt"

// CertificatePath is where the authority's certificate is, in DER, as certificates that it signed say where it is
// (RFC 5280 section 4.2.2.1).
const CertificatePath = "/ca.cer"

// Latest is the bundle that the authority's ConfigMap holds now. One that is gone, or that cannot be read, leaves what was
// known.
type Latest struct {
	current atomic.Pointer[content]
}

type content struct {
	der  []byte
	pool *x509.CertPool
}

// Tell tells of the ConfigMap's data.
func (l *Latest) Tell(data map[string]string) {
	text := []byte(data[Key])
	pool := x509.NewCertPool()
	if block, _ := pem.Decode(text); block != nil && pool.AppendCertsFromPEM(text) {
		l.current.Store(&content{block.Bytes, pool})
	}
}

// Pool are the authorities to trust; nil while none is known.
func (l *Latest) Pool() *x509.CertPool {
	if current := l.current.Load(); current != nil {
		return current.pool
	}
	return nil
}

// Ready tells whether an authority is known.
func (l *Latest) Ready() bool { return l.current.Load() != nil }

// Handler gives out the authority's certificate, and nothing else.
func (l *Latest) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+CertificatePath, func(writer http.ResponseWriter, _ *http.Request) {
		current := l.current.Load()
		if current == nil {
			writer.Header().Set("Retry-After", "5")
			http.Error(writer, "there is no certificate authority yet", http.StatusServiceUnavailable)
			return
		}
		writer.Header().Set("Content-Type", "application/pkix-cert")
		_, _ = writer.Write(current.der)
	})
	return mux
}
