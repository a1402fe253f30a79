package issuer

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// testPodIsAttested checks that attested documents are signed with a certificate of the installation's authority.
func testPodIsAttested(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	pod := h.newPod(t, "attested", "node-1")
	bearer := i.bearer(t, pod)
	var document issuerapi.AttestationResponse
	eventually(t, "the issuer attests the pod", func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+issuerHost+issuerapi.AttestationPath,
			strings.NewReader(`{"nonce":"1234567890","version":"2021-02-01"}`))
		if err != nil {
			return err
		}
		a, err := i.do(request, bearer)
		if err != nil || a.status != http.StatusOK {
			return fmt.Errorf("got %d %s: %w", a.status, a.body, err)
		}
		return json.Unmarshal([]byte(a.body), &document)
	})
	if !bytes.Contains(document.Signature, []byte(`"vmId":"`+string(pod.UID)+`"`)) {
		t.Errorf("the document does not name the pod's UID")
	}
	leaf := certificateIn(t, document.Signature)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: i.controller.bundle().Pool(), DNSName: "westeurope.metadata.azure.com",
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("verify the certificate: %v", err)
	}
	authorityURL := names.AuthorityURL() + cabundle.CertificatePath(i.controller.authority.Certificate)
	if leaf.Subject.CommonName != "metadata.azure.com" || len(leaf.IssuingCertificateURL) != 1 || leaf.IssuingCertificateURL[0] != authorityURL {
		t.Errorf("certificate subject = %s, issuer URL = %q", leaf.Subject, leaf.IssuingCertificateURL)
	}
}

// certificateIn returns the only certificate in an envelope.
func certificateIn(t *testing.T, envelope []byte) *x509.Certificate {
	t.Helper()
	for i := range envelope {
		if envelope[i] != 0x30 || i+4 > len(envelope) || envelope[i+1] != 0x82 {
			continue
		}
		length := 4 + int(envelope[i+2])<<8 + int(envelope[i+3])
		if i+length > len(envelope) {
			continue
		}
		if certificate, err := x509.ParseCertificate(envelope[i : i+length]); err == nil {
			return certificate
		}
	}
	t.Fatal("no certificate in the envelope")
	return nil
}
