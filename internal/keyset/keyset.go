// Package keyset has the public keys of an issuer of tokens, which its discovery document and its JWKS publish.
package keyset

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

// RefreshInterval is how often the keys are read without a reason.
const RefreshInterval = 5 * time.Minute

// Source reads an issuer's documents.
type Source interface {
	// Read fetches a path of the issuer.
	Read(ctx context.Context, path string) ([]byte, error)
}

// Documents says where an issuer's documents are.
type Documents struct {
	Source Source

	// Discovery and JWKS are the paths of the two documents.
	Discovery, JWKS string
}

// Keys are the public keys of an issuer. They are read at the start, from time to time, and at most every ten seconds when a token
// names an unknown key, so that no token costs the issuer a request. What was read stays while the issuer is away. Libraries for
// remote JWKS fetch while the token that made them waits.
type Keys struct {
	documents Documents
	log       logr.Logger
	refreshed func(err error)
	wanted    chan struct{}
	limit     *rate.Limiter

	mu      sync.RWMutex
	issuer  string
	set     jose.JSONWebKeySet
	version uint64
}

// New returns an empty set. Start fills it, and calls refreshed after each try.
func New(documents Documents, log logr.Logger, refreshed func(err error)) *Keys {
	return &Keys{
		documents: documents, log: log, refreshed: refreshed,
		wanted: make(chan struct{}, 1),
		limit:  rate.NewLimiter(rate.Every(10*time.Second), 1),
	}
}

// Start keeps the keys current until the context ends.
func (k *Keys) Start(ctx context.Context) error {
	ticker := time.NewTicker(RefreshInterval)
	defer ticker.Stop()
	for {
		if err := k.limit.Wait(ctx); err != nil {
			return nil
		}
		if err := k.Refresh(ctx); ctx.Err() == nil {
			k.refreshed(err)
			k.tell(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-k.wanted:
		}
	}
}

// tell logs a failure. The first keys are tried again soon.
func (k *Keys) tell(err error) {
	if err == nil {
		return
	}
	k.log.Error(err, "cannot read the keys; those that are known stay")
	if !k.Ready() {
		k.want()
	}
}

// NeedLeaderElection returns false: every process that verifies tokens needs the keys.
func (k *Keys) NeedLeaderElection() bool { return false }

// Ready reports whether the keys have been read.
func (k *Keys) Ready() bool { return k.Issuer() != "" }

// Issuer returns the issuer (iss) of the discovery document.
func (k *Keys) Issuer() string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.issuer
}

// Version returns a number that changes whenever the keys are read: what was verified by an earlier version may no longer be valid.
func (k *Keys) Version() uint64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.version
}

// Refresh reads the keys once.
func (k *Keys) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var document struct {
		Issuer string `json:"issuer"`
	}
	if err := k.read(ctx, k.documents.Discovery, &document); err != nil {
		return err
	}
	var set jose.JSONWebKeySet
	if err := k.read(ctx, k.documents.JWKS, &set); err != nil {
		return err
	}
	if document.Issuer == "" || len(set.Keys) == 0 {
		return errors.New("the documents name no issuer or no keys")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.issuer, k.set = document.Issuer, set
	k.version++
	return nil
}

func (k *Keys) read(ctx context.Context, path string, into any) error {
	content, err := k.documents.Source.Read(ctx, path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// ErrUnknownKey is the error of a token with a key that is not published, as far as is known.
var ErrUnknownKey = errors.New("the token is signed with a key that its issuer does not publish")

// Find returns the key that a token names, or ErrUnknownKey. It is a jwt.Keyfunc.
func (k *Keys) Find(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	k.mu.RLock()
	found := k.set.Key(id)
	k.mu.RUnlock()
	if len(found) != 1 || !found[0].IsPublic() {
		k.want()
		return nil, ErrUnknownKey
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
