package mint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// federated is an Entra minter with a signer that refuses some pods, and with what Entra answers.
type federated struct {
	*Entra
	asked atomic.Int64

	mu          sync.Mutex
	refused     map[string]bool
	unpublished bool
	answer      func() (*entra.Token, error)
	outcomes    []signerapi.OutcomeRequest
	forgotten   []string
}

func (f *federated) Assertion(_ context.Context, request signerapi.AssertionRequest) (*signerapi.AssertionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.refused[request.UID]:
		return nil, failure.Denied(failure.ReasonUnknownPod, "there is no such pod")
	case f.unpublished:
		return nil, failure.NotPublished("publish")
	}
	return &signerapi.AssertionResponse{Assertion: "assertion of " + request.Identity}, nil
}

func newFederated() *federated {
	f := &federated{refused: map[string]bool{}}
	f.answer = func() (*entra.Token, error) {
		return &entra.Token{AccessToken: fmt.Sprint("token ", f.asked.Load()), Issued: time.Now(), Expiry: time.Now().Add(24 * time.Hour)}, nil
	}
	f.Entra = &Entra{
		Assertions: f, Outcomes: f, Cloud: "AzurePublicCloud", Pauses: NewPauses(), Now: time.Now, Log: func(error, string, string) {},
		Exchange: func(context.Context, entra.Request) (*entra.Token, error) {
			f.asked.Add(1)
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.answer()
		},
	}
	return f
}

func (f *federated) Report(_ string, outcome signerapi.OutcomeRequest) {
	f.become(func() { f.outcomes = append(f.outcomes, outcome) })
}

func (f *federated) Forget(_, identity string) {
	f.become(func() { f.forgotten = append(f.forgotten, identity) })
}

// become changes the minter's surroundings.
func (f *federated) become(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *federated) fails(err error) {
	f.become(func() { f.answer = func() (*entra.Token, error) { return nil, err } })
}

// issues makes Entra issue a token that is valid for a day.
func (f *federated) issues(text string) {
	f.become(func() {
		f.answer = func() (*entra.Token, error) {
			return &entra.Token{AccessToken: text, Issued: time.Now(), Expiry: time.Now().Add(24 * time.Hour)}, nil
		}
	})
}

func of(pod string) Request {
	return Request{Pod: Pod{UID: pod}, Identity: identity("orders"), Resource: vault}
}

func TestExchangeOfEntra(t *testing.T) {
	t.Parallel()
	f := newFederated()
	var asked entra.Request
	f.Exchange = func(_ context.Context, request entra.Request) (*entra.Token, error) {
		asked = request
		return f.answer()
	}
	one := identity("orders")
	one.Status.TenantID, one.Status.ClientID = "tenant", "client"
	one.Spec.Entra = &v1alpha1.EntraSettings{Authority: "https://own.example"}
	if _, err := f.Mint(t.Context(), Request{Pod: Pod{UID: "pod"}, Identity: one, Resource: vault}); err != nil {
		t.Fatal(err)
	}
	want := entra.Request{Authority: "https://own.example", TenantID: "tenant", ClientID: "client", Resource: vault, Assertion: "assertion of orders"}
	if asked != want {
		t.Errorf("asked %+v, want %+v", asked, want)
	}
	if len(f.outcomes) != 1 || f.outcomes[0].Code != 0 || f.outcomes[0].Unreachable || f.outcomes[0].UID != "pod" {
		t.Errorf("reported %+v", f.outcomes)
	}
}

// The signer keeps that nothing is public in place of what was reported before, so the next answer is news again.
func TestUnpublishedKeysMakeTheNextAnswerNews(t *testing.T) {
	t.Parallel()
	f := newFederated()
	f.refused["stranger"] = true
	if _, err := f.Mint(t.Context(), of("stranger")); err == nil || len(f.forgotten) != 0 {
		t.Errorf("another refusal: error %v, forgotten %q", err, f.forgotten)
	}
	f.become(func() { f.unpublished = true })
	_, err := f.Mint(t.Context(), of("pod"))
	if failure.Of(err).Reason != failure.ReasonNotPublished || fmt.Sprint(f.forgotten) != "[orders]" || len(f.outcomes) != 0 {
		t.Errorf("error %v, forgotten %q, reported %v", err, f.forgotten, f.outcomes)
	}
}

func TestFailuresOfEntra(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err         error
		kind        failure.Kind
		code        int
		unreachable bool
		retryAfter  time.Duration
	}{
		"no credential": {&entra.Error{Status: http.StatusUnauthorized, Code: 700213}, failure.Invalid, 700213, false, 0},
		"no resource":   {&entra.Error{Status: http.StatusBadRequest, Code: 500011}, failure.InvalidResource, 500011, false, 0},
		"throttled":     {&entra.Error{Status: http.StatusTooManyRequests, RetryAfter: 9 * time.Second}, failure.Throttled, 0, true, 9 * time.Second},
		"long":          {&entra.Error{Status: http.StatusTooManyRequests, RetryAfter: time.Hour}, failure.Throttled, 0, true, 25 * time.Second},
		"down":          {&entra.Error{Status: http.StatusBadGateway}, failure.Unavailable, 0, true, 2 * time.Second},
		"no answer":     {errors.New("connection refused"), failure.Unavailable, 0, true, 3 * time.Second},
	} {
		f := newFederated()
		f.fails(test.err)
		_, err := f.Mint(t.Context(), of("pod"))
		got := failure.Of(err)
		if got.Kind != test.kind || got.RetryAfter > test.retryAfter || (got.RetryAfter == 0) != (test.retryAfter == 0) {
			t.Errorf("%s: got kind %d, retry after %s: %v", name, got.Kind, got.RetryAfter, err)
		}
		if len(f.outcomes) != 1 || f.outcomes[0].Code != test.code || f.outcomes[0].Unreachable != test.unreachable {
			t.Errorf("%s: reported %+v", name, f.outcomes)
		}
	}
}
