package mint

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/failure"
)

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
	withSharedRenewal(t, func(t *testing.T, f *federated, cache *Cache) {
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

// withSharedRenewal runs a test with a shared cache that renews its tokens.
func withSharedRenewal(t *testing.T, test func(t *testing.T, f *federated, cache *Cache)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f := newFederated()
		cache := NewSharedCache(f, time.Now)
		go func() { _ = cache.Start(ctx) }()
		test(t, f, cache)
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
	withSharedRenewal(t, func(t *testing.T, f *federated, cache *Cache) {
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
	withSharedRenewal(t, func(t *testing.T, f *federated, cache *Cache) {
		f.answer = func() (*entra.Token, error) {
			return &entra.Token{AccessToken: "a", Issued: time.Now(), Expiry: time.Now().Add(24 * time.Hour), RefreshAt: time.Now().Add(2 * time.Hour)}, nil
		}
		mintFor(t, cache, "pod")
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		if asked := f.asked.Load(); asked != 2 {
			t.Errorf("Entra was asked %d times, want a renewal at refresh_in", asked)
		}
	})
}
