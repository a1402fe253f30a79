package issuer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/token"
)

// mintedSecret is in every token that a countingMinter makes, and must be nowhere else.
const mintedSecret = "minted-secret"

const (
	vault   = "https://vault.azure.net"
	storage = "https://storage.azure.com/"
)

// countingMinter numbers the tokens that it makes.
type countingMinter struct {
	mu    sync.Mutex
	life  time.Duration
	takes time.Duration
	err   error
	made  int
}

func (m *countingMinter) Mint(_ context.Context, request MintRequest) (Minted, error) {
	m.mu.Lock()
	m.made++
	number, takes, err := m.made, m.takes, m.err
	m.mu.Unlock()
	now := time.Now()
	time.Sleep(takes)
	if err != nil {
		return Minted{}, err
	}
	return Minted{
		Token: fmt.Sprintf("%s %d %s %s", mintedSecret, number, request.Identity.Name, request.Resource),
		ID:    fmt.Sprintf("token-%d", number), NotBefore: now, Expiry: now.Add(m.life),
	}, nil
}

func (m *countingMinter) wantMade(t *testing.T, want int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made != want {
		t.Errorf("%d tokens were made, not %d", m.made, want)
	}
}

// withCache runs a test with a cache before a minter whose tokens last for two hours.
func withCache(t *testing.T, test func(t *testing.T, source *countingMinter, cache *CachingMinter)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &countingMinter{life: 2 * time.Hour}
		test(t, source, NewCachingMinter(source, time.Now))
	})
}

func mint(t *testing.T, minter Minter, identity *v1alpha1.ManagedIdentity, resource string) Minted {
	t.Helper()
	minted, err := minter.Mint(t.Context(), MintRequest{Identity: identity, Resource: resource})
	if err != nil {
		t.Fatal(err)
	}
	return minted
}

func TestTokenIsHandedOutUntilHalfOfItsLife(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *CachingMinter) {
		first := mint(t, cache, identity("orders"), vault)
		if first.Cached {
			t.Error("a token that was just made is said to come from the cache")
		}
		time.Sleep(time.Hour - time.Second)
		again := mint(t, cache, identity("orders"), vault)
		if !again.Cached || again.Token != first.Token {
			t.Errorf("another token is handed out before half of its life: %+v", again)
		}
		time.Sleep(time.Second)
		if second := mint(t, cache, identity("orders"), vault); second.Cached || second.Token == first.Token {
			t.Errorf("the token is still handed out at half of its life: %+v", second)
		}
		source.wantMade(t, 2)
	})
}

func TestTokenIsMadeAnewPastTheCache(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *CachingMinter) {
		first := mint(t, cache, identity("orders"), vault)
		fresh, err := cache.Mint(t.Context(), MintRequest{Identity: identity("orders"), Resource: vault, BypassCache: true})
		if err != nil || fresh.Cached || fresh.Token == first.Token {
			t.Errorf("past the cache there is %+v, %v", fresh, err)
		}
		if kept := mint(t, cache, identity("orders"), vault); kept.Token != fresh.Token {
			t.Errorf("the newer token is not kept: %+v", kept)
		}
		source.wantMade(t, 2)
	})
}

func TestTokenIsMadeOnceForAllWhoAskAtTheSameTime(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *CachingMinter) {
		source.takes = time.Second
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { mint(t, cache, identity("orders"), vault) })
		}
		all.Wait()
		source.wantMade(t, 1)
	})
}

func TestTokenIsMadeEvenIfTheFirstWhoAskedIsGone(t *testing.T) {
	t.Parallel()
	cache := NewCachingMinter(minterFunc(func(ctx context.Context) (Minted, error) { return Minted{}, ctx.Err() }), time.Now)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cache.Mint(gone, MintRequest{Identity: identity("orders"), Resource: vault}); err != nil {
		t.Errorf("the request of one who is gone takes that of the others with it: %v", err)
	}
}

func TestFailureIsNotKept(t *testing.T) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *CachingMinter) {
		source.err = errors.New("no key")
		if _, err := cache.Mint(t.Context(), MintRequest{Identity: identity("orders"), Resource: vault}); !errors.Is(err, source.err) {
			t.Errorf("the error is %v", err)
		}
		source.err = nil
		mint(t, cache, identity("orders"), vault)
		source.wantMade(t, 2)
	})
}

func TestKeyChangeClearsTheCache(t *testing.T) {
	t.Run("of what is kept", func(t *testing.T) {
		withCache(t, func(t *testing.T, source *countingMinter, cache *CachingMinter) {
			first := mint(t, cache, identity("orders"), vault)
			cache.Clear()
			if second := mint(t, cache, identity("orders"), vault); second.Token == first.Token {
				t.Error("a token of the key before is handed out")
			}
		})
	})
	t.Run("of what is being made", func(t *testing.T) {
		withCache(t, func(t *testing.T, source *countingMinter, cache *CachingMinter) {
			source.takes = time.Second
			var asking sync.WaitGroup
			asking.Go(func() { mint(t, cache, identity("orders"), vault) })
			synctest.Wait()
			cache.Clear()
			during := mint(t, cache, identity("orders"), vault)
			asking.Wait()
			if after := mint(t, cache, identity("orders"), vault); after.ID != during.ID || after.ID != "token-2" {
				t.Errorf("a token of the key before is handed out: %s, then %s", during.ID, after.ID)
			}
			source.wantMade(t, 2)
		})
	})
}

func TestWhatATokenHangsOnIsNotMixedUp(t *testing.T) {
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
			withCache(t, func(t *testing.T, source *countingMinter, cache *CachingMinter) {
				changed := identity("orders")
				other(changed)
				mint(t, cache, identity("orders"), vault)
				mint(t, cache, changed, vault)
				source.wantMade(t, 2)
			})
		})
	}
	t.Run("another resource", func(t *testing.T) {
		withCache(t, func(t *testing.T, source *countingMinter, cache *CachingMinter) {
			mint(t, cache, identity("orders"), vault)
			mint(t, cache, identity("orders"), vault+"/")
			source.wantMade(t, 2)
		})
	})
	t.Run("the same of two objects", func(t *testing.T) {
		withCache(t, func(t *testing.T, source *countingMinter, cache *CachingMinter) {
			labelled := identity("orders")
			labelled.Labels = map[string]string{"a": "b"}
			mint(t, cache, identity("orders"), vault)
			mint(t, cache, labelled, vault)
			source.wantMade(t, 1)
		})
	})
}

func TestCacheIsBounded(t *testing.T) {
	withCache(t, func(t *testing.T, _ *countingMinter, cache *CachingMinter) {
		for i := range maxCached + 10 {
			mint(t, cache, identity("orders"), fmt.Sprint("api://", i))
		}
		if kept := len(cache.minted); kept > maxCached {
			t.Errorf("%d tokens are kept", kept)
		}
	})
}

func TestLocalMinter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		minter, key := localMinter(t)
		minter.Issuers.EntraResources = []string{storage}
		for resource, issuer := range map[string]string{
			vault:   "https://oidc.test/" + tenant + "/v2.0",
			storage: "https://sts.windows.net/" + tenant + "/",
		} {
			minted := mint(t, minter, identity("orders"), resource)
			claims := jwt.MapClaims{}
			parsed, _, err := jwt.NewParser().ParseUnverified(minted.Token, claims)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Header["kid"] != key.ID || claims["iss"] != issuer || claims["aud"] != resource ||
				claims["uti"] != minted.ID || claims["xms_az_rid"] != nil ||
				claims["nbf"] != float64(minted.NotBefore.Unix()) || claims["exp"] != float64(minted.Expiry.Unix()) {
				t.Errorf("%+v does not say what is in the token: %v %v", minted, parsed.Header, claims)
			}
		}
	})
}

func TestLocalMinterWithoutPublishedKey(t *testing.T) {
	t.Parallel()
	minter := &LocalMinter{Ring: token.NewRing(time.Now), Now: time.Now}
	if _, err := minter.Ring.Prepare(); err != nil {
		t.Fatal(err)
	}
	_, err := minter.Mint(t.Context(), MintRequest{Identity: identity("orders"), Resource: vault})
	if failure, ok := errors.AsType[*failure](err); !ok || failure.status != 503 || failure.retryAfter == 0 {
		t.Errorf("the error is %#v, not one that passes", err)
	}
}

// localMinter has a published key.
func localMinter(t testing.TB) (*LocalMinter, *token.Key) {
	t.Helper()
	ring := token.NewRing(time.Now)
	keys, err := ring.Prepare()
	if err != nil {
		t.Fatal(err)
	}
	ring.Published(map[string]bool{keys[0].ID: true})
	return &LocalMinter{Ring: ring, Issuers: token.Issuers{BaseURL: "https://oidc.test"}, Now: time.Now}, keys[0]
}

// minterFunc makes a token of a context.
type minterFunc func(ctx context.Context) (Minted, error)

func (f minterFunc) Mint(ctx context.Context, _ MintRequest) (Minted, error) {
	return f(ctx)
}

// BenchmarkMint shows what a token costs that is kept, and one that is signed.
func BenchmarkMint(b *testing.B) {
	signing, _ := localMinter(b)
	for name, minter := range map[string]Minter{
		"signing": signing,
		"cached":  NewCachingMinter(signing, time.Now),
	} {
		b.Run(name, func(b *testing.B) {
			orders := identity("orders")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := minter.Mint(b.Context(), MintRequest{Identity: orders, Resource: vault}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
