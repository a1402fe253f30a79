package signer

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/testing/bound"
	"github.com/kube-imds/kube-imds/internal/token"
)

// signed requests a token and returns its claims.
func (s *stage) signed(issuer bound.Token, request signerapi.TokenRequest) jwt.MapClaims {
	s.Helper()
	recorder := s.ask(issuer, signerapi.TokenPath, request)
	if recorder.Code != http.StatusOK {
		s.Fatalf("got %d %s", recorder.Code, recorder.Body)
	}
	var answer signerapi.TokenResponse
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		s.Fatal(err)
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(answer.Token, claims, func(*jwt.Token) (any, error) { return s.Key().Public, nil })
	if err != nil {
		s.Fatal(err)
	}
	if answer.KeyID != s.Key().ID || answer.TokenID != claims["uti"] || float64(answer.ExpiresOn) != claims["exp"] || float64(answer.NotBefore) != claims["nbf"] {
		s.Errorf("response %+v differs from the token: %v", answer, claims)
	}
	return claims
}

func TestTokenForAPodOfTheNode(t *testing.T) {
	s := newStage(t)
	claims := s.signed(issuerOf("node-1"), asking("orders-0", "orders"))
	for name, want := range map[string]any{
		"appid": "client-orders", "aud": vault, "iss": "https://oidc.test/" + claims["tid"].(string) + "/v2.0",
		"xms_az_rid": "/subscriptions/the-subscription/resourceGroups/the-group/providers/Microsoft.Compute/virtualMachines/orders-0",
		"kubernetes.io": map[string]any{
			"namespace": "shop", "node": map[string]any{"name": "node-1", "uid": "node-1-uid"},
			"pod":            map[string]any{"name": "orders-0", "uid": "orders-0-uid"},
			"serviceaccount": map[string]any{"name": "orders", "uid": "orders-uid"},
		},
	} {
		if diff := cmp.Diff(want, claims[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, part := range []string{
		`"outcome"="signed"`, `"node"="node-1"`, `"issuer"="issuer-node-1"`, `"podUID"="orders-0-uid"`, `"pod"="orders-0"`,
		`"identity"="orders"`, `"clientID"="client-orders"`, `"resource"="` + vault + `"`, `"tokenID"="`, `"keyID"="` + s.Key().ID,
	} {
		if !strings.Contains(s.audit.String(), part) {
			t.Errorf("the audit log has no %s: %s", part, s.audit)
		}
	}
}

func TestTokenWithoutWorkload(t *testing.T) {
	s := newStage(t)
	s.NameWorkloads = false
	if claims := s.signed(issuerOf("node-1"), asking("orders-0", "orders")); claims["kubernetes.io"] != nil {
		t.Errorf("claims = %v", claims)
	}
}

func TestPassedOnTokenIsVerified(t *testing.T) {
	right := tokenOf("orders-0", "orders", "node-1")
	for name, test := range map[string]struct {
		change func(*bound.Token)
		want   int
	}{
		"own token":            {func(*bound.Token) {}, http.StatusOK},
		"another pod's":        {func(b *bound.Token) { b.Pod = reference("bills-0") }, http.StatusForbidden},
		"of another audience":  {func(b *bound.Token) { b.Audience = signerapi.Audience }, http.StatusForbidden},
		"of another node":      {func(b *bound.Token) { b.Node = reference("node-2") }, http.StatusForbidden},
		"of another account":   {func(b *bound.Token) { b.ServiceAccount = reference("bills") }, http.StatusForbidden},
		"of a former account":  {func(b *bound.Token) { b.ServiceAccount.UID = "former" }, http.StatusForbidden},
		"of another namespace": {func(b *bound.Token) { b.Namespace = "other" }, http.StatusForbidden},
		"expired":              {func(b *bound.Token) { b.Age = time.Hour }, http.StatusForbidden},
		"not bound to a pod":   {func(b *bound.Token) { b.Pod.UID = "" }, http.StatusForbidden},
		"issuer's own":         {func(b *bound.Token) { *b = issuerOf("node-1") }, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			shown := right
			test.change(&shown)
			request := asking("orders-0", "orders")
			request.Token = shown.Sign(t)
			if got := s.ask(issuerOf("node-1"), signerapi.TokenPath, request); got.Code != test.want {
				t.Errorf("got %d %s, want %d", got.Code, got.Body, test.want)
			}
		})
	}
}

// A stolen node can send any of these.
func TestIssuerGetsTokensForItsOwnPodsOnly(t *testing.T) {
	for name, test := range map[string]struct {
		issuer  bound.Token
		request signerapi.TokenRequest
		status  int
		reason  string
	}{
		"pod of another node":     {issuerOf("node-1"), asking("stock-0", "stock"), 403, "OtherNode"},
		"pod does not exist":      {issuerOf("node-1"), asking("gone", "orders"), 403, "UnknownPod"},
		"no pod":                  {issuerOf("node-1"), signerapi.TokenRequest{Identity: "orders", Resource: vault}, 403, "UnknownPod"},
		"identity of another pod": {issuerOf("node-1"), asking("orders-0", "bills"), 400, "NotGranted"},
		"identity does not admit": {issuerOf("node-1"), asking("bills-0", "orders"), 400, "NotAdmitted"},
		"identity does not exist": {issuerOf("node-1"), asking("orders-0", "nothing"), 400, "NotGranted"},
		"identity of Entra ID":    {issuerOf("node-1"), asking("orders-0", "remote"), 400, "BadRequest"},
		"resource is not allowed": {issuerOf("node-1"), asking("orders-0", "strict"), 400, "ResourceNotAllowed"},
		"no resource":             {issuerOf("node-1"), signerapi.TokenRequest{Pod: signerapi.Pod{UID: "orders-0-uid"}, Identity: "orders"}, 400, "BadRequest"},
	} {
		t.Run(name, func(t *testing.T) { newStage(t).wantRefusal(test.issuer, test.request, test.status, test.reason) })
	}
}

func TestOnlyIssuersAreAnswered(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*bound.Token)
		status int
		reason string
	}{
		"another audience":        {func(b *bound.Token) { b.Audience = "kube-imds.io/issuer" }, 401, "Unauthenticated"},
		"another account":         {func(b *bound.Token) { b.ServiceAccount = reference("default") }, 401, "Unauthenticated"},
		"another namespace":       {func(b *bound.Token) { b.Namespace = "shop" }, 401, "Unauthenticated"},
		"not bound to a pod":      {func(b *bound.Token) { b.Pod.UID = "" }, 401, "Unauthenticated"},
		"expired":                 {func(b *bound.Token) { b.Age = time.Hour }, 401, "Unauthenticated"},
		"issuer pod is gone":      {func(b *bound.Token) { b.Pod.UID = "gone" }, 403, "UnknownPod"},
		"another node":            {func(b *bound.Token) { b.Node = reference("node-2") }, 403, "OtherNode"},
		"former node":             {func(b *bound.Token) { b.Node.UID = "former" }, 403, "OtherNode"},
		"bound to a pod of users": {func(b *bound.Token) { b.Pod = reference("orders-0") }, 403, "UnknownPod"},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := issuerOf("node-1")
			test.change(&issuer)
			newStage(t).wantRefusal(issuer, asking("orders-0", "orders"), test.status, test.reason)
		})
	}
}

func TestDeletedPodEndsAtOnce(t *testing.T) {
	s := newStage(t)
	s.signed(issuerOf("node-1"), asking("orders-0", "orders"))
	if err := s.client.Delete(t.Context(), pod("orders-0", "orders", "node-1", "")); err != nil {
		t.Fatal(err)
	}
	s.wantRefusal(issuerOf("node-1"), asking("orders-0", "orders"), 403, "UnknownPod")
}

func TestEndedPodGetsNoToken(t *testing.T) {
	ended := pod("ended-0", "orders", "node-1", "orders")
	ended.Status.Phase = corev1.PodSucceeded
	newStage(t, ended).wantRefusal(issuerOf("node-1"), asking("ended-0", "orders"), 403, "UnknownPod")
}

func TestUnknownNewObjectsGet503(t *testing.T) {
	young := func(change func(*corev1.Pod)) []client.Object {
		made := pod("young-0", "orders", "node-1", "orders")
		made.CreationTimestamp = metav1.Now()
		change(made)
		return []client.Object{made}
	}
	for name, test := range map[string]struct {
		more     []client.Object
		identity string
		shown    bool
	}{
		"pod":            {nil, "orders", true},
		"identity":       {young(func(p *corev1.Pod) { p.Annotations["kube-imds.io/identity"] = "new" }), "new", false},
		"binding":        {young(func(*corev1.Pod) {}), "new", false},
		"ServiceAccount": {young(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "new" }), "orders", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, test.more...)
			request := asking("young-0", test.identity)
			if test.shown {
				shown := tokenOf("young-0", "orders", "node-1")
				shown.Age = 0
				request.Token = shown.Sign(t)
			}
			s.wantRefusal(issuerOf("node-1"), request, 503, "Unavailable")
		})
	}
}

func TestTokenWaitsForAKey(t *testing.T) {
	s := newStage(t)
	s.Key = func() *token.Key { return nil }
	s.wantRefusal(issuerOf("node-1"), asking("orders-0", "orders"), 503, "Unavailable")
}

func TestBusyNodeIsThrottled(t *testing.T) {
	s := newStage(t)
	s.Limits = NewNodeLimits(0.001, 2)
	for range 2 {
		s.signed(issuerOf("node-1"), asking("orders-0", "orders"))
	}
	s.wantRefusal(issuerOf("node-1"), asking("orders-0", "orders"), 429, "Throttled")
	s.signed(issuerOf("node-2"), asking("stock-0", "stock"))
}

// Unauthenticated clients must not fill the audit log.
func TestUnauthenticatedRequestsLeaveFewLines(t *testing.T) {
	s := newStage(t)
	for range 50 {
		s.ask(bound.Token{Audience: "other"}, signerapi.TokenPath, asking("orders-0", "orders"))
	}
	if lines := strings.Count(s.audit.String(), "\n"); lines < 1 || lines > 5 {
		t.Errorf("got %d lines", lines)
	}
}

func TestRequestIsBounded(t *testing.T) {
	s := newStage(t)
	request := asking("orders-0", strings.Repeat("x", signerapi.MaxRequestBytes))
	s.wantRefusal(issuerOf("node-1"), request, 400, "BadRequest")
}

func TestTokenIsNotSignedWithoutTheKMS(t *testing.T) {
	s := newStage(t)
	private, err := makeSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	var down bool
	key, err := token.NewRemoteKey(&private.PublicKey, func(_ context.Context, digest []byte) ([]byte, error) {
		if down {
			return nil, errors.New("the KMS does not answer")
		}
		return private.Sign(rand.Reader, digest, crypto.SHA256)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Key = func() *token.Key { return key }
	s.signed(issuerOf("node-1"), asking("orders-0", "orders"))
	down = true
	s.wantRefusal(issuerOf("node-1"), asking("orders-0", "orders"), http.StatusServiceUnavailable, "NotSigned")
	if !strings.Contains(s.audit.String(), "the KMS does not answer") {
		t.Errorf("the audit log has no reason: %s", s.audit)
	}
	down = false
	s.signed(issuerOf("node-1"), asking("orders-0", "orders"))
}
