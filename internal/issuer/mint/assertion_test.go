package mint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// byAccount returns a request for an identity whose assertions are tokens of ServiceAccounts.
func byAccount(pod, account string, assertions ...string) Request {
	request := of(pod)
	request.Identity = request.Identity.DeepCopy()
	request.Identity.Spec.TokenSource = v1alpha1.TokenSourceEntra
	request.Identity.Spec.Entra = &v1alpha1.EntraSettings{Assertion: v1alpha1.AssertionServiceAccount}
	request.Pod.Subject, request.Pod.Assertions = "system:serviceaccount:shop:"+account, assertions
	return request
}

// own authenticates tokens that are written AUDIENCE/POD or "expired".
func own(audience, token string) (workload.Workload, error) {
	if token == "expired" {
		return workload.Workload{}, fmt.Errorf("verify: %w", jwt.ErrTokenExpired)
	}
	pod, found := strings.CutPrefix(token, audience+"/")
	if !found {
		return workload.Workload{}, errors.New("another audience")
	}
	return workload.Workload{Pod: workload.Reference{UID: pod}}, nil
}

const exchangeAudience = "api://AzureADTokenExchange"

func TestOwnAssertion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		assertions []string
		want       string
		temporary  bool
	}{
		"its own":            {[]string{exchangeAudience + "/pod"}, exchangeAudience + "/pod", false},
		"the second one":     {[]string{"api://other/pod", exchangeAudience + "/pod"}, exchangeAudience + "/pod", false},
		"another pod's":      {[]string{exchangeAudience + "/other"}, "", false},
		"another audience's": {[]string{"kube-imds.io/issuer/pod"}, "", false},
		"none":               {nil, "", false},
		"expired":            {[]string{"expired"}, "", true},
		"too many":           {[]string{"1", "2", "3", "4", exchangeAudience + "/pod"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFederated()
			f.Own = own
			var sent string
			f.Exchange = func(_ context.Context, request entra.Request) (*entra.Token, error) {
				sent = request.Assertion
				return f.answer()
			}
			_, err := f.Mint(t.Context(), byAccount("pod", "orders", test.assertions...))
			if sent != test.want || (err == nil) != (test.want != "") {
				t.Errorf("sent %q, error %v", sent, err)
			}
			if err != nil && failure.Of(err).Temporary() != test.temporary {
				t.Errorf("failure = %+v", failure.Of(err))
			}
		})
	}
}

// Entra decides about each ServiceAccount, so a token is shared by the pods of one only.
func TestTokensAreSharedByTheServiceAccount(t *testing.T) {
	t.Parallel()
	f := newFederated()
	f.Own = own
	cache := NewSharedCache(f, time.Now)
	mint := func(pod, account string) string {
		t.Helper()
		minted, err := cache.Mint(t.Context(), byAccount(pod, account, exchangeAudience+"/"+pod))
		if err != nil {
			t.Fatal(err)
		}
		return minted.Token
	}
	if one, same := mint("a", "orders"), mint("b", "orders"); one != same {
		t.Error("a pod of the same ServiceAccount has another token")
	}
	if one, other := mint("a", "orders"), mint("c", "bills"); one == other {
		t.Error("a pod of another ServiceAccount has the same token")
	}
	if got := f.asked.Load(); got != 2 {
		t.Errorf("Entra was asked %d times", got)
	}
}

// The renewal uses the assertion of the last request. If that has expired too it waits for the next one, and the token stays.
func TestRenewalUsesTheLastAssertion(t *testing.T) {
	t.Parallel()
	f := newFederated()
	f.Own = own
	now := time.Now()
	cache := NewSharedCache(f, func() time.Time { return now })
	first := byAccount("a", "orders", exchangeAudience+"/a")
	if _, err := cache.Mint(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	now = now.Add(13 * time.Hour)
	if _, err := cache.Mint(t.Context(), byAccount("b", "orders", "expired")); err != nil {
		t.Fatal(err)
	}
	cache.renewDue(t.Context())
	if got := f.asked.Load(); got != 1 {
		t.Errorf("an expired assertion was exchanged: Entra was asked %d times", got)
	}
	if minted, err := cache.Mint(t.Context(), byAccount("b", "orders", exchangeAudience+"/b")); err != nil || minted.Token != "token 1" {
		t.Errorf("got %q, error %v", minted.Token, err)
	}
	cache.renewDue(t.Context())
	if minted, err := cache.Mint(t.Context(), first); err != nil || minted.Token != "token 2" {
		t.Errorf("after the renewal: got %q, error %v", minted.Token, err)
	}
}

// signing counts the assertions that it signs. It refuses the pod "stranger".
type signing struct {
	now   func() time.Time
	count int
}

func (s *signing) Assertion(_ context.Context, request signerapi.AssertionRequest) (*signerapi.AssertionResponse, error) {
	if request.UID == "stranger" {
		return nil, failure.Denied(failure.ReasonUnknownPod, "there is no such pod")
	}
	s.count++
	return &signerapi.AssertionResponse{Assertion: fmt.Sprint(s.count), ExpiresOn: s.now().Add(10 * time.Minute).Unix()}, nil
}

func TestAssertionsAreKeptForMinutes(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	assertions := NewAssertions(&signing{now: clock}, clock)
	ask := func(pod, identity, audience string) string {
		t.Helper()
		got, err := assertions.Assertion(t.Context(), signerapi.AssertionRequest{Pod: signerapi.Pod{UID: pod}, Identity: identity}, audience)
		if err != nil {
			return err.Error()
		}
		return got.Assertion
	}
	for n, test := range []struct {
		after                   time.Duration
		pod, identity, audience string
		want                    string
	}{
		{0, "stranger", "orders", "x", "there is no such pod"},
		{0, "a", "orders", "x", "1"},
		{time.Minute, "b", "orders", "x", "1"},
		{0, "a", "orders", "y", "2"},
		{0, "a", "bills", "x", "3"},
		{3*time.Minute + time.Second, "a", "orders", "x", "4"},
	} {
		now = now.Add(test.after)
		if got := ask(test.pod, test.identity, test.audience); got != test.want {
			t.Errorf("request %d: got %q, want %q", n, got, test.want)
		}
	}
	for n := range 2 * maxAssertions {
		ask("a", fmt.Sprint(n), "x")
	}
	if len(assertions.kept) > maxAssertions {
		t.Errorf("%d assertions are kept", len(assertions.kept))
	}
}

// Pods that ask at once share a signature, and one that is refused does not fail the others.
func TestConcurrentAssertionsAreSignedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		signer := &waiting{proceed: make(chan struct{})}
		assertions := NewAssertions(signer, time.Now)
		results := map[string]chan error{"stranger": make(chan error, 1), "a": make(chan error, 1), "b": make(chan error, 1)}
		ask := func(pod string) {
			go func() {
				_, err := assertions.Assertion(t.Context(), signerapi.AssertionRequest{Pod: signerapi.Pod{UID: pod}, Identity: "orders"}, "x")
				results[pod] <- err
			}()
			synctest.Wait()
		}
		ask("a")
		ask("b")
		close(signer.proceed)
		if errA, errB := <-results["a"], <-results["b"]; errA != nil || errB != nil || signer.asked.Load() != 1 {
			t.Errorf("errors %v and %v, the signer was asked %d times", errA, errB, signer.asked.Load())
		}

		signer.proceed = make(chan struct{})
		assertions = NewAssertions(signer, time.Now)
		ask("stranger")
		ask("a")
		close(signer.proceed)
		if errStranger, errA := <-results["stranger"], <-results["a"]; errStranger == nil || errA != nil {
			t.Errorf("the stranger got %v, the other pod %v", errStranger, errA)
		}
	})
}

// waiting signs once it may proceed. It refuses the pod "stranger".
type waiting struct {
	asked   atomic.Int64
	proceed chan struct{}
}

func (w *waiting) Assertion(_ context.Context, request signerapi.AssertionRequest) (*signerapi.AssertionResponse, error) {
	w.asked.Add(1)
	<-w.proceed
	if request.UID == "stranger" {
		return nil, failure.Denied(failure.ReasonUnknownPod, "there is no such pod")
	}
	return &signerapi.AssertionResponse{Assertion: "signed", ExpiresOn: time.Now().Add(10 * time.Minute).Unix()}, nil
}
