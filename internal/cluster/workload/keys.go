package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// refreshInterval is how often the keys are read without a reason.
const refreshInterval = 5 * time.Minute

// Source reads the cluster's discovery document and JWKS.
type Source interface {
	// Read fetches a path of the API server.
	Read(ctx context.Context, path string) ([]byte, error)
}

// Keys are the public keys of ServiceAccount tokens. They are read at the start, from time to time, and at most every ten
// seconds when a token names an unknown key, so that no token costs the API server a request. Libraries for remote JWKS fetch
// while the token that made them waits.
type Keys struct {
	source Source
	log    logr.Logger
	wanted chan struct{}
	limit  *rate.Limiter

	mu     sync.RWMutex
	issuer string
	set    jose.JSONWebKeySet
}

// NewKeys returns an empty set. Start fills it.
func NewKeys(source Source, log logr.Logger) *Keys {
	return &Keys{
		source: source, log: log,
		wanted: make(chan struct{}, 1),
		limit:  rate.NewLimiter(rate.Every(10*time.Second), 1),
	}
}

// Start keeps the keys current until the context ends.
func (k *Keys) Start(ctx context.Context) error {
	ticker := time.NewTicker(refreshInterval)
	defer ticker.Stop()
	for {
		if err := k.limit.Wait(ctx); err != nil {
			return nil
		}
		err := k.refresh(ctx)
		if err == nil {
			refreshes.WithLabelValues(outcomeRead).Inc()
		} else if ctx.Err() == nil {
			refreshes.WithLabelValues(outcomeFailed).Inc()
			k.log.Error(err, "cannot read the cluster's keys; those that are known stay")
			if !k.Ready() {
				k.want()
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-k.wanted:
		}
	}
}

// NeedLeaderElection returns false: every issuer needs the keys.
func (k *Keys) NeedLeaderElection() bool { return false }

// Ready reports whether the keys have been read.
func (k *Keys) Ready() bool { return k.Issuer() != "" }

// Issuer returns the issuer (iss) of the cluster's ServiceAccount tokens.
func (k *Keys) Issuer() string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.issuer
}

func (k *Keys) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var document struct {
		Issuer string `json:"issuer"`
	}
	if err := k.read(ctx, "/.well-known/openid-configuration", &document); err != nil {
		return err
	}
	var set jose.JSONWebKeySet
	if err := k.read(ctx, "/openid/v1/jwks", &set); err != nil {
		return err
	}
	if document.Issuer == "" || len(set.Keys) == 0 {
		return errors.New("the cluster names no issuer or no keys of ServiceAccount tokens")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.issuer, k.set = document.Issuer, set
	return nil
}

func (k *Keys) read(ctx context.Context, path string, into any) error {
	content, err := k.source.Read(ctx, path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

var errUnknownKey = errors.New("the token is signed with a key that the cluster does not publish")

// find returns the key that a token names.
func (k *Keys) find(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	k.mu.RLock()
	found := k.set.Key(id)
	k.mu.RUnlock()
	if len(found) != 1 || !found[0].IsPublic() {
		k.want()
		return nil, errUnknownKey
	}
	return found[0].Key, nil
}

// want asks for the keys to be read soon.
func (k *Keys) want() {
	select {
	case k.wanted <- struct{}{}:
	default:
	}
}
