// Package proving tests that authenticated requests prove their connections, which internal/server ends otherwise.
package proving

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/server"
)

// unproven is how long a connection may stay unproven.
const unproven = 200 * time.Millisecond

// deadline bounds how long the server may take to listen and to answer.
const deadline = 10 * time.Second

// Check serves a handler and sends it requests with a bearer token for longer than an unproven connection may stay. It fails the test if one
// connection was not enough.
func Check(t *testing.T, handler http.Handler, bearer string, newRequest func(baseURL string) (*http.Request, error)) {
	t.Helper()
	address := serve(t, handler)
	client := &http.Client{Timeout: deadline, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	connections := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if !info.Reused {
			connections++
		}
	}})
	for start := time.Now(); time.Since(start) < 3*unproven; {
		request, err := newRequest("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+bearer)
		if err := send(ctx, client, request); err != nil {
			t.Fatal(err)
		}
	}
	if connections != 1 {
		t.Errorf("got %d connections, want 1", connections)
	}
}

func send(ctx context.Context, client *http.Client, request *http.Request) error {
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// serve serves a handler on loopback until the test ends, and returns its address.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	bounds := server.DefaultBounds
	bounds.Unproven = unproven
	address := freeAddress(t)
	certificate := testCertificate()
	https := server.New(address, handler, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil },
		deadline, server.WithBounds(bounds))
	ended := make(chan error, 1)
	go func() { ended <- https.Start(t.Context()) }()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = connection.Close()
			return address
		}
		select {
		case err := <-ended:
			t.Fatalf("server ended: %v", err)
		case <-ctx.Done():
			t.Fatalf("server does not listen: %v", err)
		default:
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// testCertificate returns the certificate that net/http/httptest has for its servers.
func testCertificate() *tls.Certificate {
	https := httptest.NewTLSServer(http.NotFoundHandler())
	defer https.Close()
	return &https.TLS.Certificates[0]
}
