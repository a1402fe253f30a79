package controller

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// answer is an HTTP response.
type answer struct {
	status int
	body   []byte
}

// send sends a request to an address instead of the URL's host, and verifies the host's certificate.
func send(t *testing.T, address string, authorities *x509.CertPool, method, url string, body []byte) (answer, error) {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS13},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Transport: transport, Timeout: patience}).Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	received, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, received}, err
}

// authorities returns the certificates in the ConfigMap.
func (s *system) authorities(t *testing.T) *x509.CertPool {
	t.Helper()
	var config corev1.ConfigMap
	if err := s.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "kube-imds-ca"}, &config); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(config.Data["ca.crt"])) {
		t.Fatalf("the ConfigMap has no certificate: %q", config.Data)
	}
	return pool
}
