package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/testing/address"
)

// deadline bounds what a test waits for.
const deadline = 30 * time.Second

// running is a server on loopback.
type running struct {
	*testing.T
	address string
	stop    context.CancelFunc
	ended   chan error
}

func run(t *testing.T, handler http.Handler, options ...Option) *running {
	t.Helper()
	certificate := testCertificate(t)
	ctx, stop := context.WithCancel(t.Context())
	r := &running{t, freeAddress(t), stop, make(chan error, 1)}
	server := New(r.address, handler, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }, deadline, options...)
	go func() { r.ended <- server.Start(ctx) }()
	t.Cleanup(stop)
	r.waitForListener()
	return r
}

func (r *running) waitForListener() {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), deadline)
	defer cancel()
	for {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", r.address)
		if err == nil {
			_ = connection.Close()
			return
		}
		select {
		case err := <-r.ended:
			r.Fatalf("ended with %v", err)
		case <-ctx.Done():
			r.Fatalf("the server does not listen: %v", err)
		default:
		}
	}
}

// get sends a request with a version of TLS.
func (r *running) get(version uint16) (string, error) {
	client := clientOf(version)
	defer client.CloseIdleConnections()
	response, err := client.Get("https://" + r.address)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return string(content), err
}

// clientOf returns a client for a version of TLS; 0 means any.
func clientOf(version uint16) *http.Client {
	return &http.Client{Timeout: deadline, Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, MinVersion: version, MaxVersion: version,
	}}}
}

func (r *running) wantEnd() {
	r.Helper()
	select {
	case err := <-r.ended:
		if err != nil {
			r.Errorf("ended with %v", err)
		}
	case <-time.After(deadline):
		r.Fatal("the server does not end")
	}
}

func TestVersionsOfTLS(t *testing.T) {
	t.Parallel()
	r := run(t, http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(writer, "hello") }))
	for name, test := range map[string]struct {
		version uint16
		want    bool
	}{"1.3": {tls.VersionTLS13, true}, "1.2": {tls.VersionTLS12, false}, "1.1": {tls.VersionTLS11, false}} {
		content, err := r.get(test.version)
		if served := err == nil && content == "hello"; served != test.want {
			t.Errorf("TLS %s is served: %t, want %t (%v)", name, served, test.want, err)
		}
		if !test.want && (err == nil || !strings.Contains(err.Error(), "protocol version")) {
			t.Errorf("TLS %s fails with %v, want a failure of the version", name, err)
		}
	}
	if response, err := http.Get("http://" + r.address); err == nil {
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP: status = %d", response.StatusCode)
		}
	}
}

func TestStopWaitsForRequests(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	r := run(t, http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		_, _ = io.WriteString(writer, "late")
	}))
	answered := make(chan string, 1)
	go func() {
		content, err := r.get(tls.VersionTLS13)
		if err != nil {
			content = err.Error()
		}
		answered <- content
	}()
	<-begun
	r.stop()
	r.waitUntilRefused()
	select {
	case err := <-r.ended:
		t.Errorf("the server ended with error %v before the request did", err)
	default:
	}
	close(release)
	if got := <-answered; got != "late" {
		t.Errorf("response to the held request = %q", got)
	}
	r.wantEnd()
}

func TestStopOfIdleServer(t *testing.T) {
	t.Parallel()
	r := run(t, http.NotFoundHandler())
	r.stop()
	r.wantEnd()
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	err = New(address, http.NotFoundHandler(), nil, time.Second).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("got error %v", err)
	}
}

// waitUntilRefused waits until the server accepts no more connections.
func (r *running) waitUntilRefused() {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), deadline)
	defer cancel()
	for {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", r.address)
		if ctx.Err() != nil {
			r.Fatal("the server still listens")
		}
		if err != nil {
			return
		}
		_ = connection.Close()
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	addresses, err := address.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	return addresses[0]
}

// testCertificate returns the one that net/http/httptest has for its servers.
func testCertificate(t *testing.T) *tls.Certificate {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	return &server.TLS.Certificates[0]
}

// testKeyPair returns the same in PEM, with its key.
func testKeyPair(t testing.TB) (certificate, key string) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	pair := server.TLS.Certificates[0]
	encoded, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}
