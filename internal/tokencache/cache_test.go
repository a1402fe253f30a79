package tokencache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerclient"
)

var (
	vault   = imds.TokenRequest{Resource: "https://vault.azure.net"}
	storage = imds.TokenRequest{Resource: "https://storage.azure.com/"}
	byID    = imds.TokenRequest{Resource: "https://vault.azure.net", Selector: imds.Selector{ClientID: "c"}}

	errAway    = errors.New("connection refused")
	errRefused = &imds.Error{Status: 400, Code: "invalid_request", Description: "Identity not found"}
)

// source makes tokens that live for some time, and numbers them.
type source struct {
	mu    sync.Mutex
	life  time.Duration
	takes time.Duration
	err   error
	asked int
}

func (s *source) Token(ctx context.Context, request imds.TokenRequest) (*imds.Token, error) {
	s.mu.Lock()
	s.asked++
	number, err, life, takes := s.asked, s.err, s.life, s.takes
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(takes):
	}
	if err != nil {
		return nil, err
	}
	return &imds.Token{AccessToken: fmt.Sprintf("%s %d", request.Resource, number), ExpiresOn: time.Now().Add(life)}, nil
}

func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// slow makes every further answer take some time.
func (s *source) slow(takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes = takes
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// stage is a cache in front of a source, in the time of a bubble.
type stage struct {
	*testing.T
	*source
	cache *Cache
}

// onStage runs a test with a cache that renews its tokens, of an hour each.
func onStage(t *testing.T, test func(s *stage)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &source{life: time.Hour}
		cache := New(source, time.Now, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go cache.Run(ctx)
		test(&stage{t, source, cache})
	})
}

// token asks for a token that must be given, and be valid.
func (s *stage) token(request imds.TokenRequest) *imds.Token {
	s.Helper()
	token, err := s.cache.Token(s.Context(), request)
	if err != nil {
		s.Fatalf("ask for %+v: %v", request, err)
	}
	if left := time.Until(token.ExpiresOn); left <= 0 {
		s.Errorf("the token expired %s ago", -left)
	}
	return token
}

// refused asks for a token that must not be given.
func (s *stage) refused(request imds.TokenRequest, want error) {
	s.Helper()
	if token, err := s.cache.Token(s.Context(), request); !errors.Is(err, want) {
		s.Errorf("asked for %+v: %v, %v", request, token, err)
	}
}

func (s *stage) wantAsked(times int) {
	s.Helper()
	if got := s.count(); got != times {
		s.Errorf("the source was asked %d times, not %d", got, times)
	}
}

// kept gives what is kept for a request, or nil, and how much is kept in all.
func (s *stage) kept(request imds.TokenRequest) (kept *entry, all int) {
	s.cache.mu.RLock()
	defer s.cache.mu.RUnlock()
	return s.cache.entries[request], len(s.cache.entries)
}

func TestATokenIsAskedForOnce(t *testing.T) {
	onStage(t, func(s *stage) {
		first := s.token(vault)
		if s.token(vault) != first {
			s.Error("the same token is another pointer")
		}
		s.wantAsked(1)
		if other := s.token(storage); other.AccessToken != "https://storage.azure.com/ 2" {
			s.Errorf("another resource has the token %q", other.AccessToken)
		}
		s.token(byID)
		s.wantAsked(3)
	})
}

func TestManyAtOnceAskOnce(t *testing.T) {
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

func TestWhoGoesAwayDoesNotSpoilItForOthers(t *testing.T) {
	onStage(t, func(s *stage) {
		s.slow(2 * time.Second)
		impatient, cancel := context.WithTimeout(s.Context(), time.Second)
		defer cancel()
		var asking sync.WaitGroup
		asking.Go(func() {
			if _, err := s.cache.Token(impatient, vault); !errors.Is(err, context.DeadlineExceeded) {
				s.Errorf("who went away is told %v", err)
			}
		})
		synctest.Wait()
		s.token(vault)
		asking.Wait()
		s.wantAsked(1)
	})
}

// clients.md, point 19.
func TestPoint19TokensHandedOutHaveMoreThanFiveMinutesLeft(t *testing.T) {
	for name, life := range map[string]time.Duration{
		"shortest": 15 * time.Minute, "default": time.Hour, "a day": 24 * time.Hour, "odd": 7 * time.Minute,
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(s *stage) {
				s.life = life
				for range 1000 {
					if left := time.Until(s.token(vault).ExpiresOn); left <= scarce {
						s.Fatalf("a token with %s left is handed out", left)
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

func TestRenewalKeepsNobodyWaiting(t *testing.T) {
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
			s.Error("there was no renewal, so this shows nothing")
		}
	})
}

func TestATokenThatNobodyWantsIsLeftToExpire(t *testing.T) {
	onStage(t, func(s *stage) {
		s.token(vault)
		time.Sleep(24 * time.Hour)
		s.wantAsked(2)
		if _, all := s.kept(vault); all != 0 {
			s.Error("an expired token is kept")
		}
	})
}

func TestWhileTheSourceIsAwayWhatIsValidIsServed(t *testing.T) {
	onStage(t, func(s *stage) {
		token := s.token(vault)
		s.fail(errAway)
		s.slow(5 * time.Second)
		time.Sleep(time.Until(token.ExpiresOn) - 2*scarce)
		slow := 0
		for time.Until(token.ExpiresOn) > time.Second {
			started := time.Now()
			if s.token(vault) != token {
				s.Fatal("it is another token")
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

func TestTokenIsRenewedWhenTheSourceComesBack(t *testing.T) {
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

func TestRefusalsAreNotKept(t *testing.T) {
	onStage(t, func(s *stage) {
		s.fail(errRefused)
		s.refused(vault, errRefused)
		s.refused(vault, errRefused)
		s.wantAsked(2)
		s.fail(nil)
		s.token(vault)
	})
}

func TestARefusedRenewalEndsTheToken(t *testing.T) {
	onStage(t, func(s *stage) {
		s.token(vault)
		s.fail(errRefused)
		time.Sleep(40 * time.Minute)
		s.refused(vault, errRefused)
	})
}

func TestAnIssuerThatDoesNotKnowThePodEndsNothing(t *testing.T) {
	onStage(t, func(s *stage) {
		token := s.token(vault)
		s.fail(fmt.Errorf("%w: %w", issuerclient.ErrNotAuthenticated, &imds.Error{Status: 400, Code: "unauthorized_client"}))
		time.Sleep(58 * time.Minute)
		if s.token(vault) != token {
			s.Error("it is another token")
		}
	})
}

func TestDropForgetsEverything(t *testing.T) {
	onStage(t, func(s *stage) {
		s.token(vault)
		s.token(storage)
		s.cache.Drop()
		s.fail(errRefused)
		s.refused(vault, errRefused)
		s.refused(storage, errRefused)
	})
}

func TestWhatWasAskedForBeforeADropIsNotKept(t *testing.T) {
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
			s.Error("the token from before the drop is kept")
		}
		s.wantAsked(2)
	})
}

func TestTheCacheIsBounded(t *testing.T) {
	onStage(t, func(s *stage) {
		for i := range 2 * maxEntries {
			s.token(imds.TokenRequest{Resource: fmt.Sprint(i)})
		}
		if _, all := s.kept(vault); all != maxEntries {
			s.Errorf("%d tokens are kept", all)
		}
	})
}

func TestRoomIsMadeByWhatIsNotUsed(t *testing.T) {
	onStage(t, func(s *stage) {
		s.token(vault)
		s.token(storage)
		time.Sleep(40 * time.Minute) // both are renewed
		s.token(vault)
		for i := range maxEntries - 1 {
			s.token(imds.TokenRequest{Resource: fmt.Sprint(i)})
		}
		if kept, _ := s.kept(storage); kept != nil {
			s.Error("the token that nobody asked for again is kept")
		}
		if kept, _ := s.kept(vault); kept == nil {
			s.Error("the token that is used is not kept")
		}
	})
}
