package issuerclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// authority signs certificates. Those who trust its bundle trust them.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	bundle      string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// sign makes a certificate for loopback.
func (a authority) sign(t *testing.T) *tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// certifiedIssuer is an issuer whose certificate a test chooses, and chooses again.
type certifiedIssuer struct {
	*httptest.Server
	certificate atomic.Pointer[tls.Certificate]
	tokenFile   string

	// open is how many connections there are.
	open atomic.Int64
}

func newIssuerOf(t *testing.T, authority authority, answer http.HandlerFunc) *certifiedIssuer {
	t.Helper()
	issuer := &certifiedIssuer{Server: httptest.NewUnstartedServer(answer), tokenFile: filepath.Join(t.TempDir(), "token")}
	writeFile(t, issuer.tokenFile, "token")
	issuer.serveBy(t, authority)
	issuer.Config.ErrorLog = log.New(io.Discard, "", 0)
	issuer.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			issuer.open.Add(1)
		case http.StateClosed:
			issuer.open.Add(-1)
		}
	}
	issuer.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*issuer.certificate.Load()}}, nil
	}}
	issuer.StartTLS()
	t.Cleanup(issuer.Close)
	return issuer
}

// serveBy gives the issuer a certificate of an authority. Connections that there are stay.
func (i *certifiedIssuer) serveBy(t *testing.T, authority authority) {
	t.Helper()
	i.certificate.Store(authority.sign(t))
}

// clientTrusting is a client of a pod that was made with a bundle, and has a volume.
func (i *certifiedIssuer) clientTrusting(t *testing.T, bundle string, volume volume, logger *slog.Logger) *Client {
	t.Helper()
	client, err := New(Options{URL: i.URL, CA: bundle, CAFile: volume.file(), TokenFile: i.tokenFile, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.connections().http.CloseIdleConnections() })
	return client
}

// volume is one as the kubelet writes it: a link to a folder, which it replaces with all that is in it.
type volume struct {
	folder  string
	written *int
}

func newVolume(t *testing.T) volume {
	t.Helper()
	v := volume{t.TempDir(), new(0)}
	if err := os.Symlink("..data/ca.crt", v.file()); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v volume) file() string { return filepath.Join(v.folder, "ca.crt") }

func (v volume) write(t *testing.T, content string) {
	t.Helper()
	v.replace(t, func(folder string) { writeFile(t, filepath.Join(folder, "ca.crt"), content) })
}

func (v volume) clear(t *testing.T) {
	t.Helper()
	v.replace(t, func(string) {})
}

func (v volume) replace(t *testing.T, fill func(folder string)) {
	t.Helper()
	*v.written++
	name := "..version-" + strconv.Itoa(*v.written)
	link := filepath.Join(v.folder, "..data_tmp")
	if err := os.Mkdir(filepath.Join(v.folder, name), 0o700); err != nil {
		t.Fatal(err)
	}
	fill(filepath.Join(v.folder, name))
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link, filepath.Join(v.folder, "..data")); err != nil {
		t.Fatal(err)
	}
}
