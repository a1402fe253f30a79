package issuerclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
)

// A certificate stolen from one node's issuer must be useless on other nodes.
func TestIssuerOfAnotherNodeIsNotTrusted(t *testing.T) {
	t.Parallel()
	const host = "127.0.0.1"
	for name, test := range map[string]struct {
		node  string
		names []string
		want  error
	}{
		"own node":                      {"node-1", []string{"node-1." + host}, nil},
		"another node":                  {"node-1", []string{"node-2." + host}, errOtherNode},
		"suffix of the name":            {"node-1", []string{"not-node-1." + host}, errOtherNode},
		"prefix of the name":            {"node-1", []string{"node-1.region." + host}, errOtherNode},
		"certificate without node name": {"node-1", nil, nil},
		"pod without node name":         {"", []string{"node-2." + host}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuerNamed(t, test.names...)
			options := i.options()
			options.Node = test.node
			client, err := New(options)
			if err != nil {
				t.Fatal(err)
			}
			defer client.connections().http.CloseIdleConnections()
			if at, _ := url.Parse(i.URL); at.Hostname() != host {
				t.Fatalf("issuer URL = %s", i.URL)
			}
			if _, err := client.Token(t.Context(), imds.TokenRequest{Resource: "r"}); !errors.Is(err, test.want) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

// newIssuerNamed returns an issuer whose certificate has these DNS names beside its address.
func newIssuerNamed(t *testing.T, names ...string) *issuer {
	t.Helper()
	i := newIssuer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"access_token":"t"}`)) })
	i.Close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, IPAddresses: i.Certificate().IPAddresses, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	handler := i.Config.Handler
	i.Server = httptest.NewUnstartedServer(handler)
	i.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	i.StartTLS()
	t.Cleanup(i.Close)
	return i
}
