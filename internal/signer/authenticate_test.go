package signer

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/server"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// The audit log names the pod in the request, so the token must be that pod's, even if both pods run on the issuer's node.
func TestPassedOnTokenMustBeThePodsInTheRequest(t *testing.T) {
	request := asking("orders-0", "bills")
	request.Token = tokenOf("bills-0", "bills", "node-1").Sign(t)
	newStage(t).wantRefusal(issuerOf("node-1"), request, http.StatusForbidden, "Unauthenticated")
}

// The server ends connections that are not proven in time. Those of issuers stay.
func TestAuthenticatedRequestProvesItsConnection(t *testing.T) {
	s := newStage(t)
	const unproven = 200 * time.Millisecond
	bounds := server.ClusterBounds
	bounds.Unproven = unproven
	address := s.serve(bounds)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	connections := 0
	traced := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if !info.Reused {
			connections++
		}
	}})
	body, err := json.Marshal(asking("orders-0", "orders"))
	if err != nil {
		t.Fatal(err)
	}
	bearer := issuerOf("node-1").Sign(t)
	for begun := time.Now(); time.Since(begun) < 3*unproven; {
		request, err := http.NewRequestWithContext(traced, http.MethodPost, "https://"+address+signerapi.TokenPath, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+bearer)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	if connections != 1 {
		t.Errorf("%d connections were made, want 1", connections)
	}
}

// serve serves the API on loopback until the test ends, and returns its address.
func (s *stage) serve(bounds server.Bounds) string {
	s.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	serving := attestationCertificate(s.TB)()
	https := server.New(address, s.Handler(), func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return serving, nil },
		10*time.Second, server.WithBounds(bounds))
	go func() { _ = https.Start(s.Context()) }()
	deadline := time.Now().Add(10 * time.Second)
	for {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
			return address
		}
		if time.Now().After(deadline) {
			s.Fatalf("the server does not listen: %v", err)
		}
	}
}
