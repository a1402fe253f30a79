package signer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/federation"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// federate gives the stage a federation issuer.
func (s *stage) federate() *token.Key {
	key := signingKey(s.TB)
	s.Federation = &Federation{
		Issuer: federation.Issuer{URL: "https://issuer.example"}, Key: func() *token.Key { return key },
	}
	s.Outcomes = &Outcomes{
		Issuer: s.Federation.Issuer, ClusterIssuer: func() string { return "https://cluster.example" }, Limits: NewNodeLimits(1, 2),
		Reader: s.client, Write: s.writeCondition,
	}
	return key
}

// writeCondition stands for ApplyCondition: the fake client merges no lists. Integration tests apply to a real API server.
func (s *stage) writeCondition(ctx context.Context, name string, condition metav1.Condition) error {
	var identity v1alpha1.ManagedIdentity
	if err := s.client.Get(ctx, client.ObjectKey{Name: name}, &identity); err != nil {
		return err
	}
	apimeta.SetStatusCondition(&identity.Status.Conditions, condition)
	return s.client.Update(ctx, &identity)
}

func asserting(pod, identity string) signerapi.AssertionRequest {
	return signerapi.AssertionRequest{Pod: signerapi.Pod{UID: pod + "-uid"}, Identity: identity}
}

func outcome(identity string, code int) signerapi.OutcomeRequest {
	return signerapi.OutcomeRequest{Pod: signerapi.Pod{UID: "orders-0-uid"}, Identity: identity, Code: code, Resource: vault}
}

func TestAssertionIsOfTheIdentity(t *testing.T) {
	s := newStage(t)
	key := s.federate()
	recorder := s.ask(issuerOf("node-1"), signerapi.AssertionPath, asserting("orders-0", "remote"))
	var response signerapi.AssertionResponse
	if err := json.Unmarshal(recorder.Body.Bytes(), &response); err != nil || recorder.Code != http.StatusOK {
		t.Fatalf("got %d %s", recorder.Code, recorder.Body)
	}
	_, err := jwt.Parse(response.Assertion, func(*jwt.Token) (any, error) { return key.Public, nil }, jwt.WithSubject("kube-imds:identity:remote"),
		jwt.WithIssuer("https://issuer.example"), jwt.WithAudience("api://AzureADTokenExchange"))
	if err != nil {
		t.Error(err)
	}
	if !strings.Contains(s.audit.String(), `"assertion"`) || !strings.Contains(s.audit.String(), `"identity"="remote"`) {
		t.Errorf("audit log:\n%s", s.audit)
	}
	if strings.Contains(s.audit.String(), strings.Split(response.Assertion, ".")[2]) {
		t.Error("the audit log contains the assertion")
	}
}

func TestAssertionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		node, pod, identity string
		change              func(*stage)
		status              int
		reason              string
	}{
		"a pod of another node": {"node-2", "orders-0", "remote", nil, http.StatusForbidden, failure.ReasonOtherNode},
		"not asked for":         {"node-1", "bills-0", "remote", nil, http.StatusBadRequest, "NotGranted"},
		"not admitted":          {"node-1", "bills-0", "orders", nil, http.StatusBadRequest, "NotAdmitted"},
		"of this cluster":       {"node-1", "orders-0", "orders", nil, http.StatusBadRequest, failure.ReasonBadRequest},
		"no federation":         {"node-1", "orders-0", "remote", func(s *stage) { s.Federation = nil }, http.StatusBadRequest, failure.ReasonBadRequest},
		"no key that is public": {"node-1", "orders-0", "remote", func(s *stage) { s.Federation.Key = func() *token.Key { return nil } }, http.StatusServiceUnavailable, failure.ReasonNotPublished},
		"an unknown pod":        {"node-1", "nobody", "remote", nil, http.StatusForbidden, failure.ReasonUnknownPod},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.federate()
			if test.change != nil {
				test.change(s)
			}
			recorder := s.ask(issuerOf(test.node), signerapi.AssertionPath, asserting(test.pod, test.identity))
			var refusal signerapi.Error
			if err := json.Unmarshal(recorder.Body.Bytes(), &refusal); err != nil || recorder.Code != test.status || refusal.Reason != test.reason {
				t.Errorf("got %d %s, want %d for %s", recorder.Code, recorder.Body, test.status, test.reason)
			}
			if !strings.Contains(s.audit.String(), `"reason"="`+test.reason+`"`) {
				t.Errorf("audit log:\n%s", s.audit)
			}
		})
	}
}

// An identity whose assertions are not signed says so, and what to do.
func TestUnpublishedKeysBecomeACondition(t *testing.T) {
	s := newStage(t)
	s.federate()
	s.Federation.Key = func() *token.Key { return nil }
	s.ask(issuerOf("node-1"), signerapi.AssertionPath, asserting("orders-0", "remote"))
	condition := s.condition()
	if condition == nil || condition.Status != metav1.ConditionFalse || condition.Reason != v1alpha1.ReasonNotPublished ||
		!strings.Contains(condition.Message, "kubectl imds federation publish") {
		t.Errorf("condition = %+v", condition)
	}
}

func TestOutcomeBecomesACondition(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		outcome signerapi.OutcomeRequest
		status  metav1.ConditionStatus
		parts   []string
	}{
		"issued":        {outcome("remote", 0), metav1.ConditionTrue, []string{"issues tokens"}},
		"no credential": {outcome("remote", 700213), metav1.ConditionFalse, []string{"AADSTS700213", "node-1", vault, "ten minutes", "az identity federated-credential create", "--subject kube-imds:identity:remote"}},
		"unpublished":   {outcome("remote", 7000272), metav1.ConditionFalse, []string{"kubectl imds federation publish", "https://issuer.example"}},
		"no identity":   {outcome("remote", 700016), metav1.ConditionFalse, []string{"spec.clientID"}},
		"invented":      {outcome("remote", 666), metav1.ConditionFalse, []string{"not known here"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.federate()
			if recorder := s.ask(issuerOf("node-1"), signerapi.OutcomePath, test.outcome); recorder.Code != http.StatusOK {
				t.Fatalf("got %d %s", recorder.Code, recorder.Body)
			}
			condition := s.condition()
			if condition == nil || condition.Status != test.status {
				t.Fatalf("condition = %+v", condition)
			}
			for _, part := range test.parts {
				if !strings.Contains(condition.Message, part) {
					t.Errorf("message misses %q: %s", part, condition.Message)
				}
			}
			if strings.Contains(condition.Message, "666") {
				t.Error("the message has an invented code")
			}
		})
	}
}

// condition returns the condition Federated.
func (s *stage) condition() *metav1.Condition {
	s.Helper()
	var identity v1alpha1.ManagedIdentity
	if err := s.client.Get(s.Context(), client.ObjectKey{Name: "remote"}, &identity); err != nil {
		s.Fatal(err)
	}
	return apimeta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionFederated)
}

func TestOutcomesOfOthersAreRefused(t *testing.T) {
	s := newStage(t)
	s.federate()
	if recorder := s.ask(issuerOf("node-2"), signerapi.OutcomePath, outcome("remote", 70025)); recorder.Code != http.StatusForbidden || s.condition() != nil {
		t.Errorf("got %d %s, condition %+v", recorder.Code, recorder.Body, s.condition())
	}
	if recorder := s.ask(issuerOf("node-1"), signerapi.OutcomePath, outcome("orders", 70025)); recorder.Code != http.StatusBadRequest {
		t.Errorf("about a local identity: got %d %s", recorder.Code, recorder.Body)
	}
}

// What an identity's condition says already is not written again.
func TestOutcomeIsWrittenOnce(t *testing.T) {
	s := newStage(t)
	s.federate()
	written := 0
	s.Outcomes.Write = func(ctx context.Context, name string, condition metav1.Condition) error {
		written++
		return s.writeCondition(ctx, name, condition)
	}
	for range 2 {
		if recorder := s.ask(issuerOf("node-1"), signerapi.OutcomePath, outcome("remote", 70025)); recorder.Code != http.StatusOK {
			t.Fatalf("got %d %s", recorder.Code, recorder.Body)
		}
	}
	if written != 1 {
		t.Errorf("written %d times", written)
	}
}

// A stolen issuer cannot make the signer write to the API server again and again.
func TestOutcomesAreLimited(t *testing.T) {
	s := newStage(t)
	s.federate()
	var codes []int
	for n := range 4 {
		codes = append(codes, s.ask(issuerOf("node-1"), signerapi.OutcomePath, outcome("remote", 70025*(n%2))).Code)
	}
	// The last one is what the identity's condition says already.
	if want := fmt.Sprint([]int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests, http.StatusOK}); fmt.Sprint(codes) != want {
		t.Errorf("got %v, want %s", codes, want)
	}
}
