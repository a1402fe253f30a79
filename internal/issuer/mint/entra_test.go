package mint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// federated is an Entra minter with a signer that refuses some pods, and with what Entra answers.
type federated struct {
	*Entra
	asked atomic.Int64

	mu       sync.Mutex
	refused  map[string]bool
	answer   func() (*entra.Token, error)
	outcomes []signerapi.OutcomeRequest
}

func (f *federated) Assertion(_ context.Context, request signerapi.AssertionRequest) (*signerapi.AssertionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refused[request.UID] {
		return nil, failure.Denied(failure.ReasonUnknownPod, "there is no such pod")
	}
	return &signerapi.AssertionResponse{Assertion: "assertion of " + request.Identity}, nil
}

func newFederated() *federated {
	f := &federated{refused: map[string]bool{}}
	f.answer = func() (*entra.Token, error) {
		return &entra.Token{AccessToken: fmt.Sprint("token ", f.asked.Load()), Issued: time.Now(), Expiry: time.Now().Add(24 * time.Hour)}, nil
	}
	f.Entra = &Entra{
		Assertions: f, Cloud: "AzurePublicCloud", Pauses: NewPauses(), Now: time.Now, Log: func(error, string, string) {},
		Report: func(outcome signerapi.OutcomeRequest) {
			f.become(func() { f.outcomes = append(f.outcomes, outcome) })
		},
		Exchange: func(context.Context, entra.Request) (*entra.Token, error) {
			f.asked.Add(1)
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.answer()
		},
	}
	return f
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

// A failing identity is tried less and less often, and its failure is told in between.
func TestPausesGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFederated()
		f.fails(&entra.Error{Status: http.StatusUnauthorized, Code: 70025})
		for range 600 {
			if _, err := f.Mint(t.Context(), of("pod")); failure.Of(err).Reason != failure.ReasonEntra {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		// 1, 2, 4, … up to 60 seconds, with a quarter of jitter.
		if asked := f.asked.Load(); asked < 10 || asked > 16 {
			t.Errorf("Entra was asked %d times in ten minutes", asked)
		}
	})
}

func TestPauseOfAChangedIdentityEnds(t *testing.T) {
	t.Parallel()
	f := newFederated()
	f.fails(&entra.Error{Status: http.StatusUnauthorized, Code: 700016})
	request := of("pod")
	for range 3 {
		_, _ = f.Mint(t.Context(), request)
	}
	request.Identity.Status.ClientID = "another"
	_, _ = f.Mint(t.Context(), request)
	if asked := f.asked.Load(); asked != 2 {
		t.Errorf("Entra was asked %d times, want twice", asked)
	}
}

// A pod that invents resources does not make its identity hammer Entra.
func TestManyResourcesAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFederated()
		f.fails(&entra.Error{Status: http.StatusBadRequest, Code: 500011})
		for n := range 5 * maxPauses {
			request := of("pod")
			request.Resource = fmt.Sprintf("https://%d.example", n)
			_, _ = f.Mint(t.Context(), request)
		}
		if asked := f.asked.Load(); asked > identityBurst {
			t.Errorf("Entra was asked %d times", asked)
		}
		if len(f.Pauses.pauses) > maxPauses {
			t.Errorf("there are %d pauses", len(f.Pauses.pauses))
		}
	})
}

// Nor does it keep the identity's other pods from their tokens.
func TestInventedResourcesStarveNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFederated()
		if _, err := f.Mint(t.Context(), of("good")); err != nil {
			t.Fatal(err)
		}
		for n := range 3 * maxPauses {
			request := of("evil")
			request.Resource = fmt.Sprintf("https://%d.example", n)
			f.fails(&entra.Error{Status: http.StatusBadRequest, Code: 500011})
			_, _ = f.Mint(t.Context(), request)
		}
		f.issues("again")
		if _, err := f.Mint(t.Context(), of("good")); err != nil {
			t.Error(err)
		}
	})
}

// Without an assertion there is no exchange, so it does not count as one.
func TestRefusalsOfTheSignerAreNoExchanges(t *testing.T) {
	t.Parallel()
	f := newFederated()
	f.refused["gone"] = true
	for range 2 * identityBurst {
		_, _ = f.Mint(t.Context(), of("gone"))
	}
	if _, err := f.Mint(t.Context(), of("here")); err != nil {
		t.Error(err)
	}
}

func TestBypassOfASharedTokenIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFederated()
		cache := NewSharedCache(f, time.Now)
		request := of("pod")
		request.BypassCache = true
		for range 601 {
			if _, err := cache.Mint(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if asked := f.asked.Load(); asked != 3 {
			t.Errorf("Entra was asked %d times in a minute, want every 30 s", asked)
		}
	})
}

func TestSharedCacheExchangesOnceForAllPods(t *testing.T) {
	t.Parallel()
	f := newFederated()
	cache := NewSharedCache(f, time.Now)
	var asking sync.WaitGroup
	for n := range 100 {
		asking.Go(func() {
			if minted, err := cache.Mint(t.Context(), of(fmt.Sprint("pod-", n))); err != nil || minted.Token != "token 1" {
				t.Errorf("got %q, %v", minted.Token, err)
			}
		})
	}
	asking.Wait()
	if asked := f.asked.Load(); asked != 1 {
		t.Errorf("Entra was asked %d times", asked)
	}
}

// The signer refuses a pod that is gone. Another one that waited for its token gets one all the same.
func TestRefusalOfAPodIsItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFederated()
		f.refused["gone"] = true
		slow := minterOf(func(ctx context.Context, request Request) (Minted, error) {
			time.Sleep(time.Second)
			return f.Mint(ctx, request)
		})
		cache := NewSharedCache(slow, time.Now)
		var asking sync.WaitGroup
		asking.Go(func() {
			if _, err := cache.Mint(t.Context(), of("gone")); failure.Of(err).Reason != failure.ReasonUnknownPod {
				t.Errorf("the pod that is gone got %v", err)
			}
		})
		synctest.Wait()
		asking.Go(func() {
			if _, err := cache.Mint(t.Context(), of("here")); err != nil {
				t.Errorf("the pod that is here got %v", err)
			}
		})
		asking.Wait()
	})
}

// minterOf is a Minter of a function.
type minterOf func(ctx context.Context, request Request) (Minted, error)

func (m minterOf) Mint(ctx context.Context, request Request) (Minted, error) { return m(ctx, request) }

// A token is renewed with the pod that used it last, and a failing renewal takes nothing away.
func TestSharedTokenIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f := newFederated()
		cache := NewSharedCache(f, time.Now)
		go func() { _ = cache.Start(ctx) }()
		first := mintFor(t, cache, "first")
		if again := mintFor(t, cache, "second"); again != first {
			t.Errorf("got %s, want %s", again, first)
		}
		f.become(func() { f.refused["first"] = true })
		f.fails(&entra.Error{Status: http.StatusUnauthorized, Code: 700213})
		time.Sleep(20 * time.Hour)
		if again := mintFor(t, cache, "second"); again != first {
			t.Errorf("during refusals: got %s, want %s", again, first)
		}
		time.Sleep(3*time.Hour + 56*time.Minute)
		if again := mintFor(t, cache, "second"); again != first {
			t.Errorf("in the last minutes: got %s, want %s", again, first)
		}
		f.issues("renewed")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if again := mintFor(t, cache, "second"); again == first {
			t.Error("the token was not renewed")
		}
	})
}

func mintFor(t *testing.T, cache *Cache, pod string) string {
	t.Helper()
	minted, err := cache.Mint(t.Context(), of(pod))
	if err != nil {
		t.Fatal(err)
	}
	return minted.Token
}

// The pod that asked first may be gone at the renewal.
func TestSharedTokenIsRenewedForThePodThatUsesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f := newFederated()
		cache := NewSharedCache(f, time.Now)
		go func() { _ = cache.Start(ctx) }()
		mintFor(t, cache, "first")
		mintFor(t, cache, "second")
		f.become(func() { f.refused["first"] = true })
		time.Sleep(13 * time.Hour)
		synctest.Wait()
		if asked := f.asked.Load(); asked != 2 {
			t.Errorf("Entra was asked %d times, want a renewal", asked)
		}
	})
}

func TestRefreshAtOfEntraIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f := newFederated()
		f.answer = func() (*entra.Token, error) {
			return &entra.Token{AccessToken: "a", Issued: time.Now(), Expiry: time.Now().Add(24 * time.Hour), RefreshAt: time.Now().Add(2 * time.Hour)}, nil
		}
		cache := NewSharedCache(f, time.Now)
		go func() { _ = cache.Start(ctx) }()
		mintFor(t, cache, "pod")
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		if asked := f.asked.Load(); asked != 2 {
			t.Errorf("Entra was asked %d times, want a renewal at refresh_in", asked)
		}
	})
}

func TestReporterReportsNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var sent []int
		var away error
		reporter := NewReporter(func(_ context.Context, outcome signerapi.OutcomeRequest) error {
			sent = append(sent, outcome.Code)
			return away
		}, logr.Discard(), time.Now)
		go func() { _ = reporter.Start(ctx) }()
		report := func(code int) {
			reporter.Report(signerapi.OutcomeRequest{Identity: "orders", Code: code})
			synctest.Wait()
		}
		for _, code := range []int{0, 0, 700213, 700213, 0} {
			report(code)
		}
		time.Sleep(time.Hour)
		report(0)
		away = errors.New("away")
		report(70025)
		away = nil
		report(70025)
		if want := fmt.Sprint([]int{0, 700213, 0, 0, 70025, 70025}); fmt.Sprint(sent) != want {
			t.Errorf("sent %v, want %s", sent, want)
		}
	})
}

func TestReporterDoesNotWait(t *testing.T) {
	t.Parallel()
	reporter := NewReporter(nil, logr.Discard(), time.Now)
	for n := range 2 * maxWaiting {
		reporter.Report(signerapi.OutcomeRequest{Identity: fmt.Sprint(n)})
	}
	if len(reporter.told) != maxWaiting {
		t.Errorf("%d reports count as told, want those that wait", len(reporter.told))
	}
}
