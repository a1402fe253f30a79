package mint

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/sidecar/tokencache"
)

// withRenewal runs a test with a cache that renews tokens, which last two hours.
func withRenewal(t *testing.T, test func(t *testing.T, source *countingMinter, cache *Cache)) {
	withCache(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		go func() { _ = cache.Start(t.Context()) }()
		test(t, source, cache)
	})
}

// sleep lets time pass and waits until all goroutines are blocked.
func sleep(t *testing.T, duration time.Duration) {
	t.Helper()
	time.Sleep(duration)
	synctest.Wait()
}

func TestTokenIsRenewedAfterHalfOfItsLife(t *testing.T) {
	withRenewal(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		mint(t, cache, identity("orders"), vault)
		sleep(t, 55*time.Minute)
		source.wantMade(t, 1)
		sleep(t, 5*time.Minute+renewalInterval)
		source.wantMade(t, 2)
		if got := mint(t, cache, identity("orders"), vault); !got.Cached || got.ID != "token-2" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestUnusedTokenIsRenewedOnce(t *testing.T) {
	withRenewal(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		mint(t, cache, identity("orders"), vault)
		sleep(t, 6*time.Hour)
		source.wantMade(t, 2)
		if kept := len(cache.tokens); kept != 0 {
			t.Errorf("%d expired tokens are cached", kept)
		}
	})
}

// Pods with a token do not notice an outage as long as half of a token's life less minRemaining.
func TestOutageOfTheMinterIsNotNoticed(t *testing.T) {
	withRenewal(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		source.become(func(m *countingMinter) { m.life = time.Hour })
		mint(t, cache, identity("orders"), vault)
		for range 12 {
			sleep(t, 10*time.Minute)
			mint(t, cache, identity("orders"), vault)
		}
		source.fail(failure.NotNow("gone"))
		for range 25 {
			sleep(t, time.Minute)
			got := mint(t, cache, identity("orders"), vault)
			if left := time.Until(got.Expiry); left <= minRemaining {
				t.Fatalf("the token is valid for %s", left)
			}
		}
		source.fail(nil)
		// Half of its life passes within this time, no matter when the outage began.
		sleep(t, 10*time.Minute)
		if got := mint(t, cache, identity("orders"), vault); time.Until(got.Expiry) < 45*time.Minute {
			t.Errorf("the token is not renewed after the outage: it is valid for %s", time.Until(got.Expiry))
		}
	})
}

func TestRefusedTokenIsNotReturnedAgain(t *testing.T) {
	withRenewal(t, func(t *testing.T, source *countingMinter, cache *Cache) {
		mint(t, cache, identity("orders"), vault)
		source.fail(failure.Denied("reason", "detail"))
		sleep(t, time.Hour+renewalInterval)
		if _, err := cache.Mint(t.Context(), Request{Identity: identity("orders"), Resource: vault}); err == nil {
			t.Error("the token is returned")
		}
	})
}

func TestRenewalDoesNotKeepThePodsToken(t *testing.T) {
	t.Parallel()
	one := newCached(Request{Pod: Pod{UID: "uid", Token: "secret"}, BypassCache: true}, Minted{}, true, time.Now())
	if one.request.Pod.Token != "" || one.request.Pod.UID != "uid" || one.request.BypassCache {
		t.Errorf("the cache keeps %+v", one.request)
	}
}

// A sidecar asks for the next token when there is one: no request of it is in vain, and no token is replaced late.
func TestSidecarsRenewWhatWasRenewed(t *testing.T) {
	for _, life := range []time.Duration{20 * time.Minute, time.Hour, 24 * time.Hour} {
		t.Run(life.String(), func(t *testing.T) {
			withRenewal(t, func(t *testing.T, source *countingMinter, cache *Cache) {
				source.become(func(m *countingMinter) { m.life = life })
				issuer := &issuing{t: t, cache: cache}
				sidecar := tokencache.New(issuer, time.Now, slog.New(slog.DiscardHandler))
				go sidecar.Run(t.Context())
				for range 500 {
					sleep(t, life/50)
					token, err := sidecar.Token(t.Context(), imds.TokenRequest{Resource: vault})
					if err != nil {
						t.Fatal(err)
					}
					if left := time.Until(token.ExpiresOn); left < life*3/10 {
						t.Errorf("a token of %s is served with %s left", life, left)
					}
				}
				if got := len(issuer.tokens); issuer.asked > got {
					t.Errorf("the sidecar asked %d times for %d tokens of %s", issuer.asked, got, life)
				}
			})
		})
	}
}

// issuing is an issuer as a sidecar sees it. It counts requests and the tokens that it answered with.
type issuing struct {
	t      *testing.T
	cache  *Cache
	asked  int
	tokens map[string]bool
}

func (i *issuing) Token(_ context.Context, request imds.TokenRequest) (*imds.Token, error) {
	minted := mint(i.t, i.cache, identity("orders"), request.Resource)
	if i.tokens == nil {
		i.tokens = map[string]bool{}
	}
	i.asked, i.tokens[minted.ID] = i.asked+1, true
	return &imds.Token{AccessToken: minted.Token, NotBefore: minted.NotBefore, ExpiresOn: minted.Expiry, RenewsOn: minted.RenewAt}, nil
}
