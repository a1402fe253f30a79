package controller

import (
	"crypto/x509"
	"net/http"
	"testing"
)

// What attested documents are verified with has to be had before anybody can be trusted, so it is not behind TLS.
func TestAuthoritysCertificateIsGivenToAnybody(t *testing.T) {
	t.Parallel()
	s := start(t)
	got, err := send(t, s.controller.authority, nil, http.MethodGet, "http://kube-imds-oidc.kube-imds-system.svc/ca.cer", nil)
	if err != nil || got.status != http.StatusOK {
		t.Fatalf("the answer is %d %q, %v", got.status, got.body, err)
	}
	certificate, err := x509.ParseCertificate(got.body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: s.authorities(t)}); err != nil {
		t.Errorf("it is not the one that the ConfigMap hands out: %v", err)
	}
	for _, path := range []string{"/", "/ca.key", "/metrics", "/" + tenant + "/discovery/v2.0/keys"} {
		if got, err := send(t, s.controller.authority, nil, http.MethodGet, "http://kube-imds-oidc.kube-imds-system.svc"+path, nil); err != nil || got.status != http.StatusNotFound {
			t.Errorf("%s is answered with %d %q, %v", path, got.status, got.body, err)
		}
	}
}
