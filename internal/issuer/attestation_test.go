package issuer

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// attester records its requests, and returns a document or an error.
type attester struct {
	asked []signerapi.AttestationRequest
	err   error
}

func (a *attester) Attest(_ context.Context, request signerapi.AttestationRequest) ([]byte, error) {
	a.asked = append(a.asked, request)
	return []byte("document"), a.err
}

func TestPodIsAttested(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		signer := &attester{}
		s.Attestations = signer
		bearer := ordersPod().sign(t)
		recorder := s.ask(s.request(bearer, http.MethodPost, issuerapi.AttestationPath, `{"nonce":"1234567890","version":"2021-02-01"}`))
		wantStatus(t, recorder, http.StatusOK)
		var answer issuerapi.AttestationResponse
		if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || string(answer.Signature) != "document" {
			t.Fatalf("response = %s, error %v", recorder.Body, err)
		}
		want := []signerapi.AttestationRequest{{
			Pod: signerapi.Pod{UID: "pod-uid", Token: bearer}, Nonce: "1234567890", Version: "2021-02-01",
		}}
		if diff := cmp.Diff(want, signer.asked); diff != "" {
			t.Errorf("request to the signer (-want +got):\n%s", diff)
		}
		if log := s.audit.text(); !strings.Contains(log, `"msg":"attestation"`) || !strings.Contains(log, `"outcome":"granted"`) || !strings.Contains(log, `"pod":"orders-0"`) {
			t.Errorf("unexpected audit log: %s", log)
		}
	})
}

func TestAttestationIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		signer attester
		body   string
		who    func(*podToken)
		want   int
	}{
		"unauthenticated":    {attester{}, `{}`, func(p *podToken) { p.audience = "other" }, http.StatusUnauthorized},
		"another node's pod": {attester{}, `{}`, func(p *podToken) { p.node = "node-2" }, http.StatusForbidden},
		"not JSON":           {attester{}, `[`, func(*podToken) {}, http.StatusBadRequest},
		"invalid nonce":      {attester{}, `{"nonce":"}\"{"}`, func(*podToken) {}, http.StatusBadRequest},
		"signer is away":     {attester{err: failure.NotNow("gone")}, `{}`, func(*podToken) {}, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, newWorld(), func(s *stage) {
				s.Attestations = &test.signer
				who := ordersPod()
				test.who(&who)
				wantStatus(t, s.ask(s.request(who.sign(t), http.MethodPost, issuerapi.AttestationPath, test.body)), test.want)
				if log := s.audit.text(); !strings.Contains(log, `"msg":"attestation"`) || strings.Contains(log, "granted") {
					t.Errorf("unexpected audit log: %s", log)
				}
			})
		})
	}
}
