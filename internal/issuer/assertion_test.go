package issuer

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// asserter records its requests, and returns an assertion or an error.
type asserter struct {
	asked     []signerapi.AssertionRequest
	audiences []string
	err       error
}

func (a *asserter) Assertion(_ context.Context, request signerapi.AssertionRequest, audience string) (*signerapi.AssertionResponse, error) {
	a.asked, a.audiences = append(a.asked, request), append(a.audiences, audience)
	return &signerapi.AssertionResponse{Assertion: mintedSecret, ExpiresOn: 1_700_000_000}, a.err
}

// federatedWorld is a world whose identity of the pod is Entra ID's.
func federatedWorld(settings *v1alpha1.EntraSettings) *world {
	w := newWorld()
	identity := w.identities[0]
	identity.Spec.TokenSource, identity.Spec.Entra = v1alpha1.TokenSourceEntra, settings
	return w
}

func TestAssertionForAnSDK(t *testing.T) {
	onStage(t, federatedWorld(&v1alpha1.EntraSettings{Audience: "api://own"}), func(s *stage) {
		signer := &asserter{}
		s.Asserter = signer
		bearer := ordersPod().sign(t)
		recorder := s.ask(s.request(bearer, http.MethodPost, issuerapi.AssertionPath, `{}`))
		wantStatus(t, recorder, http.StatusOK)
		var answer issuerapi.AssertionResponse
		if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Assertion != mintedSecret || answer.ExpiresOn != 1_700_000_000 {
			t.Fatalf("response = %s, error %v", recorder.Body, err)
		}
		want := []signerapi.AssertionRequest{{Pod: signerapi.Pod{UID: "pod-uid", Token: bearer}, Identity: "orders"}}
		if diff := cmp.Diff(want, signer.asked); diff != "" || signer.audiences[0] != "api://own" {
			t.Errorf("audiences %v, requests to the signer (-want +got):\n%s", signer.audiences, diff)
		}
		log := s.audit.text()
		for _, part := range []string{`"msg":"assertion"`, `"identity":"orders"`, `"outcome":"granted"`, `"resource":"api://own"`, `"pod":"orders-0"`} {
			if !strings.Contains(log, part) {
				t.Errorf("the audit log misses %s: %s", part, log)
			}
		}
	})
}

func TestAssertionForAnSDKIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		world  *world
		signer asserter
		body   string
		want   int
	}{
		"not JSON":             {federatedWorld(nil), asserter{}, `[`, http.StatusBadRequest},
		"not granted":          {federatedWorld(nil), asserter{}, `{"client_id":"00000000-0000-0000-0000-000000000000"}`, http.StatusBadRequest},
		"of this cluster":      {newWorld(), asserter{}, `{}`, http.StatusBadRequest},
		"of ServiceAccounts":   {federatedWorld(&v1alpha1.EntraSettings{Assertion: v1alpha1.AssertionServiceAccount}), asserter{}, `{}`, http.StatusBadRequest},
		"the signer is away":   {federatedWorld(nil), asserter{err: failure.NotNow("away")}, `{}`, http.StatusServiceUnavailable},
		"the signer disagrees": {federatedWorld(nil), asserter{err: failure.Denied(failure.ReasonUnknownPod, "no")}, `{}`, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, test.world, func(s *stage) {
				s.Asserter = &test.signer
				recorder := s.ask(s.request(ordersPod().sign(t), http.MethodPost, issuerapi.AssertionPath, test.body))
				wantStatus(t, recorder, test.want)
			})
		})
	}
}
