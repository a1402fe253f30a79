package mint

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/failure"
)

// withCache runs a test with a cache in front of a minter whose tokens last two hours.
func withCache(t *testing.T, test func(t *testing.T, source *countingMinter, cache *Cache)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &countingMinter{life: 2 * time.Hour}
		test(t, source, NewCache(source, time.Now))
	})
}

func TestTokenIsReturnedUntilMinRemaining(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		first := mint(t, cache, identity("orders"), vault)
		if first.Cached {
			t.Error("a new token is reported as cached")
		}
		time.Sleep(2*time.Hour - minRemaining - time.Second)
		again := mint(t, cache, identity("orders"), vault)
		if !again.Cached || again.Token != first.Token {
			t.Errorf("another token before minRemaining: %+v", again)
		}
		time.Sleep(time.Second)
		if second := mint(t, cache, identity("orders"), vault); second.Cached || second.Token == first.Token {
			t.Errorf("the token is returned although it can be renewed: %+v", second)
		}
		source.wantMade(t, 2)
	})
}

func TestExpiringTokenIsReturnedWhileTheMinterIsAway(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		first := mint(t, cache, identity("orders"), vault)
		source.err = failure.NotNow("gone")
		time.Sleep(2*time.Hour - time.Second)
		if again := mint(t, cache, identity("orders"), vault); again.Token != first.Token {
			t.Errorf("got another token: %+v", again)
		}
		time.Sleep(time.Second)
		if _, err := cache.Mint(t.Context(), Request{Identity: identity("orders"), Resource: vault}); err == nil {
			t.Error("an expired token is returned")
		}
	})
}

func TestExpiringTokenIsNotReturnedAfterARefusal(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		mint(t, cache, identity("orders"), vault)
		source.err = failure.Denied("reason", "detail")
		time.Sleep(2*time.Hour - minRemaining)
		if _, err := cache.Mint(t.Context(), Request{Identity: identity("orders"), Resource: vault}); !errors.Is(err, source.err) {
			t.Errorf("got error %v", err)
		}
	})
}

func TestTokensArePerPod(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		for _, uid := range []string{"one", "other", "one"} {
			if _, err := cache.Mint(t.Context(), Request{Pod: Pod{UID: uid, Token: uid}, Identity: identity("orders"), Resource: vault}); err != nil {
				t.Fatal(err)
			}
		}
		source.wantMade(t, 2)
	})
}

func TestBypassMintsAnotherToken(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		first := mint(t, cache, identity("orders"), vault)
		fresh, err := cache.Mint(t.Context(), Request{Identity: identity("orders"), Resource: vault, BypassCache: true})
		if err != nil || fresh.Cached || fresh.Token == first.Token {
			t.Errorf("bypassing the cache: got %+v, error %v", fresh, err)
		}
		if kept := mint(t, cache, identity("orders"), vault); kept.Token != fresh.Token {
			t.Errorf("the newer token is not cached: %+v", kept)
		}
		source.wantMade(t, 2)
	})
}

func TestConcurrentRequestsMintOneToken(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		source.takes = time.Second
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { mint(t, cache, identity("orders"), vault) })
		}
		all.Wait()
		source.wantMade(t, 1)
	})
}

// A request that found nothing, and gets on only when another one has its token, must not mint a second one.
func TestLateRequestGetsTheTokenOfAnother(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		late := Request{Identity: identity("orders"), Resource: vault}
		_, generation := cache.find(late)
		first := mint(t, cache, identity("orders"), vault)
		got, err := cache.mint(t.Context(), late, generation, true)
		if err != nil || got.Token != first.Token || !got.Cached {
			t.Errorf("got %+v, error %v", got, err)
		}
		source.wantMade(t, 1)
		if _, err := cache.mint(t.Context(), late, generation, false); err != nil {
			t.Errorf("a renewal: %v", err)
		}
		source.wantMade(t, 2)
	})
}

func TestMintingOutlivesTheFirstRequest(t *testing.T) {
	t.Parallel()
	cache := NewCache(minterFunc(func(ctx context.Context) (Minted, error) { return Minted{}, ctx.Err() }), time.Now)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cache.Mint(gone, Request{Identity: identity("orders"), Resource: vault}); err != nil {
		t.Errorf("a cancelled request fails the others: %v", err)
	}
}

func TestFailureIsNotCached(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		source.err = errors.New("no key")
		if _, err := cache.Mint(t.Context(), Request{Identity: identity("orders"), Resource: vault}); !errors.Is(err, source.err) {
			t.Errorf("got error %v", err)
		}
		source.err = nil
		mint(t, cache, identity("orders"), vault)
		source.wantMade(t, 2)
	})
}

func none(string) bool { return false }

func TestTokensOfWithdrawnKeysAreDropped(t *testing.T) {
	t.Run("of what is kept", func(t *testing.T) {
		withCache(t, func(t *testing.T, _ *countingMinter, cache *Cache) {
			first := mint(t, cache, identity("orders"), vault)
			cache.KeepSignedBy(none)
			if second := mint(t, cache, identity("orders"), vault); second.Token == first.Token {
				t.Error("a token of the former key is returned")
			}
		})
	})
	t.Run("of what is being made", func(t *testing.T) {
		withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
			source.takes = time.Second
			var asking sync.WaitGroup
			asking.Go(func() { mint(t, cache, identity("orders"), vault) })
			synctest.Wait()
			cache.KeepSignedBy(none)
			// So that the older one is minted last.
			source.become(func(m *countingMinter) { m.takes = time.Millisecond })
			during := mint(t, cache, identity("orders"), vault)
			asking.Wait()
			if after := mint(t, cache, identity("orders"), vault); after.ID != during.ID || after.ID != "token-2" {
				t.Errorf("a token of the former key is returned: %s, then %s", during.ID, after.ID)
			}
			source.wantMade(t, 2)
		})
	})
}

func TestTokensOfPublishedKeysAreKept(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		source.keyID = "published"
		first := mint(t, cache, identity("orders"), vault)
		cache.KeepSignedBy(func(id string) bool { return id == "published" })
		if second := mint(t, cache, identity("orders"), vault); second.Token != first.Token {
			t.Error("a token of a published key is dropped")
		}
	})
}

func TestTokensDependOnTheIdentity(t *testing.T) {
	for name, other := range map[string]func(*v1alpha1.ManagedIdentity){
		"lifetime": func(i *v1alpha1.ManagedIdentity) {
			i.Spec.TokenLifetime = &metav1.Duration{Duration: 15 * time.Minute}
		},
		"type":        func(i *v1alpha1.ManagedIdentity) { i.Spec.Type = v1alpha1.SystemAssigned },
		"tenant":      func(i *v1alpha1.ManagedIdentity) { i.Status.TenantID = "other" },
		"client":      func(i *v1alpha1.ManagedIdentity) { i.Status.ClientID = "other" },
		"principal":   func(i *v1alpha1.ManagedIdentity) { i.Status.PrincipalID = "other" },
		"resource ID": func(i *v1alpha1.ManagedIdentity) { i.Status.ResourceID = "/other" },
	} {
		t.Run("another "+name, func(t *testing.T) {
			withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
				changed := identity("orders")
				other(changed)
				mint(t, cache, identity("orders"), vault)
				mint(t, cache, changed, vault)
				source.wantMade(t, 2)
			})
		})
	}
	t.Run("another resource", func(t *testing.T) {
		withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
			mint(t, cache, identity("orders"), vault)
			mint(t, cache, identity("orders"), vault+"/")
			source.wantMade(t, 2)
		})
	})
	t.Run("the same of two objects", func(t *testing.T) {
		withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
			labelled := identity("orders")
			labelled.Labels = map[string]string{"a": "b"}
			mint(t, cache, identity("orders"), vault)
			mint(t, cache, labelled, vault)
			source.wantMade(t, 1)
		})
	})
}

func TestCacheIsBounded(t *testing.T) {
	withCache(t, func(t *testing.T, _ *countingMinter, cache *Cache) {
		for i := range maxCached + 10 {
			mint(t, cache, identity("orders"), fmt.Sprint("api://", i))
		}
		if kept := len(cache.tokens); kept > maxCached {
			t.Errorf("%d tokens are cached", kept)
		}
	})
}
