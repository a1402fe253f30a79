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
)

var (
	vault   = imds.TokenRequest{Resource: "https://vault.azure.net"}
	storage = imds.TokenRequest{Resource: "https://storage.azure.com/"}
	byID    = imds.TokenRequest{Resource: "https://vault.azure.net", Selector: imds.Selector{ClientID: "c"}}

	errAway    = errors.New("connection refused")
	errRefused = &imds.Error{Status: 400, Code: "invalid_request", Description: "Identity not found"}
)

// source makes numbered tokens with a lifetime.
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

// slow delays all further answers.
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

// stage is a cache in front of a source in a synctest bubble.
type stage struct {
	*testing.T
	*source
	cache *Cache
}

// onStage runs a test with a started cache whose tokens last an hour.
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

// token requests a token, and checks that it is valid.
func (s *stage) token(request imds.TokenRequest) *imds.Token {
	s.Helper()
	token, err := s.cache.Token(s.Context(), request)
	if err != nil {
		s.Fatalf("request %+v: %v", request, err)
	}
	if left := time.Until(token.ExpiresOn); left <= 0 {
		s.Errorf("the token expired %s ago", -left)
	}
	return token
}

// refused requests a token, and checks the error.
func (s *stage) refused(request imds.TokenRequest, want error) {
	s.Helper()
	if token, err := s.cache.Token(s.Context(), request); !errors.Is(err, want) {
		s.Errorf("request %+v: got %v, error %v", request, token, err)
	}
}

func (s *stage) wantAsked(times int) {
	s.Helper()
	if got := s.count(); got != times {
		s.Errorf("%d requests to the source, want %d", got, times)
	}
}

// kept returns the cached entry for a request, or nil, and the number of entries.
func (s *stage) kept(request imds.TokenRequest) (kept *entry, all int) {
	s.cache.mu.RLock()
	defer s.cache.mu.RUnlock()
	return s.cache.entries[request], len(s.cache.entries)
}
