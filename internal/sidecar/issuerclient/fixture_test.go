package issuerclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// issuer is an HTTPS server with a test's handler.
type issuer struct {
	*httptest.Server
	tokenFile string
}

func newIssuer(t *testing.T, answer http.HandlerFunc) *issuer {
	t.Helper()
	server := httptest.NewUnstartedServer(answer)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "token")
	writeFile(t, file, "first\n")
	return &issuer{server, file}
}

func (i *issuer) options() Options {
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
	return Options{URL: i.URL, CA: string(certificate), TokenFile: i.tokenFile}
}

func (i *issuer) client(t *testing.T) *Client {
	t.Helper()
	client, err := New(i.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.connections().http.CloseIdleConnections)
	return client
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// otherAuthority returns a certificate authority that signed nothing.
func otherAuthority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
}
