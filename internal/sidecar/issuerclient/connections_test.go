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

// What is stolen of a node's issuer is of use on that node alone.
func TestIssuerOfAnotherNodeIsNotTrusted(t *testing.T) {
	t.Parallel()
	const host = "127.0.0.1"
	for name, test := range map[string]struct {
		node  string
		names []string
		want  error
	}{
		"its own node's":                     {"node-1", []string{"node-1." + host}, nil},
		"another node's":                     {"node-1", []string{"node-2." + host}, errOtherNode},
		"one whose name ends so":             {"node-1", []string{"not-node-1." + host}, errOtherNode},
		"one whose name begins so":           {"node-1", []string{"node-1.region." + host}, errOtherNode},
		"one of before they named the nodes": {"node-1", nil, nil},
		"a pod of before it knew its node":   {"", []string{"node-2." + host}, nil},
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
				t.Fatalf("the issuer is at %s", i.URL)
			}
			if _, err := client.Token(t.Context(), imds.TokenRequest{Resource: "r"}); !errors.Is(err, test.want) {
				t.Errorf("asked for a token it says %v", err)
			}
		})
	}
}

// newIssuerNamed returns an issuer that gives a token, whose certificate bears these DNS names beside its address.
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
