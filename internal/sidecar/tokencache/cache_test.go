package tokencache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/sidecar/issuerclient"
)

func TestTokenIsRequestedOnce(t *testing.T) {
	onStage(t, func(s *stage) {
		first := s.token(vault)
		if s.token(vault) != first {
			s.Error("the same token is another pointer")
		}
		s.wantAsked(1)
		if other := s.token(storage); other.AccessToken != "https://storage.azure.com/ 2" {
			s.Errorf("token of another resource = %q", other.AccessToken)
		}
		s.token(byID)
		s.wantAsked(3)
	})
}

func TestBypassRequestsAnotherToken(t *testing.T) {
	onStage(t, func(s *stage) {
		s.token(vault)
		anew := vault
		anew.BypassCache = true
		fresh := s.token(anew)
		s.wantAsked(2)
		if s.token(vault) != fresh {
			s.Error("the newer token is not cached")
		}
		s.wantAsked(2)
		if _, all := s.kept(vault); all != 1 {
			s.Errorf("%d tokens are cached", all)
		}
		s.fail(errAway)
		s.refused(anew, errAway)
		s.token(vault)
	})
}

func TestBypassDoesNotJoinOtherRequests(t *testing.T) {
	onStage(t, func(s *stage) {
		s.slow(time.Second)
		anew := vault
		anew.BypassCache = true
		var asking sync.WaitGroup
		asking.Go(func() { s.token(vault) })
		synctest.Wait()
		s.token(anew)
		asking.Wait()
		s.wantAsked(2)
	})
}

func TestConcurrentRequestsShareOne(t *testing.T) {
	onStage(t, func(s *stage) {
		s.slow(time.Second)
		var asking sync.WaitGroup
		for range 50 {
			asking.Go(func() { s.token(vault) })
		}
		asking.Wait()
		s.wantAsked(1)
	})
}

func TestCancelledRequestDoesNotFailOthers(t *testing.T) {
	onStage(t, func(s *stage) {
		s.slow(2 * time.Second)
		impatient, cancel := context.WithTimeout(s.Context(), time.Second)
		defer cancel()
		var asking sync.WaitGroup
		asking.Go(func() {
			if _, err := s.cache.Token(impatient, vault); !errors.Is(err, context.DeadlineExceeded) {
				s.Errorf("cancelled request: got error %v", err)
			}
		})
		synctest.Wait()
		s.token(vault)
		asking.Wait()
		s.wantAsked(1)
	})
}

// clients.md, point 19.
func TestPoint19ServedTokensHaveMoreThanFiveMinutesLeft(t *testing.T) {
	for name, life := range map[string]time.Duration{
		"shortest": 15 * time.Minute, "default": time.Hour, "a day": 24 * time.Hour, "short": 7 * time.Minute,
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(s *stage) {
				s.life = life
				for range 1000 {
					if left := time.Until(s.token(vault).ExpiresOn); left <= minRemaining {
						s.Fatalf("a token with %s left is served", left)
					}
					time.Sleep(life / 100)
				}
			})
		})
	}
}

func TestRenewalIsAheadAndInTheBackground(t *testing.T) {
	onStage(t, func(s *stage) {
		first := s.token(vault)
		time.Sleep(20 * time.Minute)
		s.wantAsked(1)
		time.Sleep(20 * time.Minute)
		s.wantAsked(2)
		s.fail(errAway) // so that the request below is not what renews
		if s.token(vault) == first {
			s.Error("the token was not renewed")
		}
		s.wantAsked(2)
	})
}

func TestRenewalDelaysNoRequest(t *testing.T) {
	onStage(t, func(s *stage) {
		s.token(vault)
		s.slow(5 * time.Second)
		for range 5000 {
			started := time.Now()
			s.token(vault)
			if waited := time.Since(started); waited > 0 {
				s.Fatalf("a request waited for %s", waited)
			}
			time.Sleep(time.Second)
		}
		if s.count() < 3 {
			s.Error("there was no renewal, so this test shows nothing")
		}
	})
}

func TestUnusedTokenIsLeftToExpire(t *testing.T) {
	onStage(t, func(s *stage) {
		s.token(vault)
		time.Sleep(24 * time.Hour)
		s.wantAsked(2)
		if _, all := s.kept(vault); all != 0 {
			s.Error("an expired token is cached")
		}
	})
}

func TestValidTokenIsServedWhileTheSourceIsAway(t *testing.T) {
	onStage(t, func(s *stage) {
		token := s.token(vault)
		s.fail(errAway)
		s.slow(5 * time.Second)
		time.Sleep(time.Until(token.ExpiresOn) - 2*minRemaining)
		slow := 0
		for time.Until(token.ExpiresOn) > time.Second {
			started := time.Now()
			if s.token(vault) != token {
				s.Fatal("got another token")
			}
			if time.Since(started) > 0 {
				slow++
			}
			time.Sleep(100 * time.Millisecond)
		}
		if slow > 50 {
			s.Errorf("%d requests waited for the source", slow)
		}
		time.Sleep(time.Second)
		s.refused(vault, errAway)
		s.refused(storage, errAway)
		s.fail(nil)
		s.token(vault)
	})
}

func TestTokenIsRenewedWhenTheSourceReturns(t *testing.T) {
	onStage(t, func(s *stage) {
		token := s.token(vault)
		s.fail(errAway)
		time.Sleep(time.Until(token.ExpiresOn) - 10*time.Minute)
		s.fail(nil)
		time.Sleep(sweepEvery + retryAfter)
		s.fail(errAway)
		if s.token(vault) == token {
			s.Error("the token was not renewed in the background")
		}
	})
}

func TestRefusalsAreNotCached(t *testing.T) {
	onStage(t, func(s *stage) {
		s.fail(errRefused)
		s.refused(vault, errRefused)
		s.refused(vault, errRefused)
		s.wantAsked(2)
		s.fail(nil)
		s.token(vault)
	})
}

func TestRefusedRenewalDropsTheToken(t *testing.T) {
	onStage(t, func(s *stage) {
		s.token(vault)
		s.fail(errRefused)
		time.Sleep(40 * time.Minute)
		s.refused(vault, errRefused)
	})
}

func TestIssuerThatDoesNotKnowThePodDropsNothing(t *testing.T) {
	onStage(t, func(s *stage) {
		token := s.token(vault)
		s.fail(fmt.Errorf("%w: %w", issuerclient.ErrNotAuthenticated, &imds.Error{Status: 400, Code: "unauthorized_client"}))
		time.Sleep(58 * time.Minute)
		if s.token(vault) != token {
			s.Error("got another token")
		}
	})
}

func TestDropRemovesAllTokens(t *testing.T) {
	onStage(t, func(s *stage) {
		s.token(vault)
		s.token(storage)
		s.cache.Drop()
		s.fail(errRefused)
		s.refused(vault, errRefused)
		s.refused(storage, errRefused)
	})
}

func TestTokenRequestedBeforeDropIsNotCached(t *testing.T) {
	onStage(t, func(s *stage) {
		s.slow(2 * time.Second)
		var asking sync.WaitGroup
		asking.Go(func() { s.token(vault) })
		synctest.Wait()
		s.cache.Drop()
		s.slow(time.Second)
		after := s.token(vault)
		asking.Wait()
		if s.token(vault) != after {
			s.Error("the token from before the drop is cached")
		}
		s.wantAsked(2)
	})
}

func TestCacheIsBounded(t *testing.T) {
	onStage(t, func(s *stage) {
		for i := range 2 * maxEntries {
			s.token(imds.TokenRequest{Resource: fmt.Sprint(i)})
		}
		if _, all := s.kept(vault); all != maxEntries {
			s.Errorf("%d tokens are cached", all)
		}
	})
}

func TestUnusedTokenIsEvicted(t *testing.T) {
	onStage(t, func(s *stage) {
		s.token(vault)
		s.token(storage)
		time.Sleep(40 * time.Minute) // both are renewed
		s.token(vault)
		for i := range maxEntries - 1 {
			s.token(imds.TokenRequest{Resource: fmt.Sprint(i)})
		}
		if kept, _ := s.kept(storage); kept != nil {
			s.Error("the unused token is cached")
		}
		if kept, _ := s.kept(vault); kept == nil {
			s.Error("the used token is not cached")
		}
	})
}
