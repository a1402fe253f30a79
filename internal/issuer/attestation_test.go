package issuer

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// attesting gives the issuer a certificate to attest with.
func (s *stage) attesting() {
	s.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		s.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "metadata.azure.com"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		s.Fatal(err)
	}
	pair := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	s.Attestations = &attested.Signer{Current: func() *tls.Certificate { return pair }, Now: time.Now}
}

func TestPodIsAttested(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		s.attesting()
		recorder := s.ask(s.request(ordersPod().sign(t), http.MethodPost, issuerapi.AttestationPath, `{"nonce":"1234567890","version":"2021-02-01"}`))
		wantStatus(t, recorder, http.StatusOK)
		var answer issuerapi.AttestationResponse
		if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{`"vmId":"pod-uid"`, `"nonce":"1234567890"`, `"subscriptionId":"default-subscription"`, `"licenseType":""`} {
			if !strings.Contains(string(answer.Signature), part) {
				t.Errorf("the document has no %s", part)
			}
		}
		if log := s.audit.text(); !strings.Contains(log, `"msg":"attestation"`) || !strings.Contains(log, `"outcome":"granted"`) || !strings.Contains(log, `"pod":"orders-0"`) {
			t.Errorf("the audit log is %s", log)
		}
	})
}

func TestPodIsNotAttested(t *testing.T) {
	for name, test := range map[string]struct {
		attesting bool
		body      string
		who       func(*podToken)
		want      int
	}{
		"a stranger":          {true, `{}`, func(p *podToken) { p.audience = "other" }, http.StatusUnauthorized},
		"another node's pod":  {true, `{}`, func(p *podToken) { p.node = "node-2" }, http.StatusForbidden},
		"no JSON":             {true, `[`, func(*podToken) {}, http.StatusBadRequest},
		"without certificate": {false, `{}`, func(*podToken) {}, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, newWorld(), func(s *stage) {
				s.Attestations = &attested.Signer{Current: func() *tls.Certificate { return nil }, Now: time.Now}
				if test.attesting {
					s.attesting()
				}
				who := ordersPod()
				test.who(&who)
				wantStatus(t, s.ask(s.request(who.sign(t), http.MethodPost, issuerapi.AttestationPath, test.body)), test.want)
				if log := s.audit.text(); !strings.Contains(log, `"msg":"attestation"`) || strings.Contains(log, "granted") {
					t.Errorf("the audit log is %s", log)
				}
			})
		})
	}
}

func TestAttestationNamesAreThoseOfTheNodesPlace(t *testing.T) {
	onStage(t, newWorld(func(w *world) { w.node.Labels = map[string]string{corev1.LabelTopologyRegion: "westeurope"} }), func(s *stage) {
		names, err := s.Directory.AttestationNames(t.Context(), "node-1", MetadataDefaults{Environment: "AzureChinaCloud"})
		if err != nil || strings.Join(names, " ") != "metadata.azure.cn westeurope.metadata.azure.cn" {
			t.Errorf("the names are %q, %v", names, err)
		}
	})
}
