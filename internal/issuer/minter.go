package issuer

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/token"
)

// Minted is a token. Nothing but the answer to its request may carry it.
type Minted struct {
	Token     string
	ID        string
	NotBefore time.Time
	Expiry    time.Time
	Cached    bool
}

// MintRequest asks for a token of an identity, whose IDs are resolved, for a resource.
type MintRequest struct {
	Identity *v1alpha1.ManagedIdentity
	Resource string

	// BypassCache asks for a token that nobody was given yet.
	BypassCache bool
}

// Minter makes tokens.
type Minter interface {
	Mint(ctx context.Context, request MintRequest) (Minted, error)
}

// Minters make tokens by the identity's token source.
type Minters map[v1alpha1.TokenSource]Minter

// Mint makes a token by the identity's token source.
func (m Minters) Mint(ctx context.Context, request MintRequest) (Minted, error) {
	minter, found := m[request.Identity.Spec.TokenSource]
	if !found {
		return Minted{}, badRequest(fmt.Sprintf("the token source %s of the identity is not supported by this version",
			request.Identity.Spec.TokenSource))
	}
	return minter.Mint(ctx, request)
}

// LocalMinter signs tokens with this issuer's own keys.
type LocalMinter struct {
	Ring    *token.Ring
	Issuers token.Issuers
	Now     func() time.Time
}

// Mint signs a token.
func (m *LocalMinter) Mint(_ context.Context, request MintRequest) (Minted, error) {
	issuer := m.Issuers.For(request.Resource, string(request.Identity.Status.TenantID))
	claims, err := token.NewClaims(request.Identity, request.Resource, issuer, m.Now())
	if err != nil {
		return Minted{}, err
	}
	expiry := time.Unix(claims.Expiry, 0)
	key := m.Ring.Signer(expiry)
	if key == nil {
		return Minted{}, unavailable("the issuer's signing key is not published yet")
	}
	start := time.Now()
	signed, err := key.Sign(claims)
	if err != nil {
		return Minted{}, err
	}
	mintSeconds.Observe(time.Since(start).Seconds())
	return Minted{Token: signed, ID: claims.UniqueID, NotBefore: time.Unix(claims.NotBefore, 0), Expiry: expiry}, nil
}

// maxCached bounds how many tokens an issuer keeps.
const maxCached = 10_000

// CachingMinter keeps the tokens that another minter makes, and hands one out until half of its life has passed.
type CachingMinter struct {
	minter Minter
	now    func() time.Time
	flight singleflight.Group

	mu     sync.Mutex
	minted map[string]Minted

	// era counts how often the cache was cleared. What was begun in another era is neither kept nor waited for.
	era int
}

// NewCachingMinter puts a cache before a minter.
func NewCachingMinter(minter Minter, now func() time.Time) *CachingMinter {
	return &CachingMinter{minter: minter, now: now, minted: map[string]Minted{}}
}

// Mint hands out the token that is kept, or has one made: one, however many ask for it at the same time.
func (m *CachingMinter) Mint(ctx context.Context, request MintRequest) (Minted, error) {
	key := cacheKey(request)
	kept, era, found := m.kept(key)
	if found && !request.BypassCache {
		kept.Cached = true
		return kept, nil
	}
	made, err, _ := m.flight.Do(strconv.Itoa(era)+"\n"+key, func() (any, error) {
		minted, err := m.minter.Mint(context.WithoutCancel(ctx), request)
		if err == nil {
			m.keep(key, era, minted)
		}
		return minted, err
	})
	if err != nil {
		return Minted{}, err
	}
	return made.(Minted), nil
}

// Clear forgets all tokens, as when the key that signed them is gone.
func (m *CachingMinter) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.minted)
	m.era++
}

// cacheKey names everything that a token hangs on.
func cacheKey(request MintRequest) string {
	identity, status := request.Identity, request.Identity.Status
	return strings.Join([]string{
		string(status.TenantID), string(status.ClientID), string(status.PrincipalID), status.ResourceID,
		string(identity.Spec.Type), token.Lifetime(identity).String(), request.Resource,
	}, "\n")
}

// kept is the token that is kept, if there is one, and the era.
func (m *CachingMinter) kept(key string) (minted Minted, era int, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	minted, found = m.minted[key]
	if !found {
		return Minted{}, m.era, false
	}
	half := minted.Expiry.Add(-minted.Expiry.Sub(minted.NotBefore) / 2)
	if !m.now().Before(half) {
		delete(m.minted, key)
		return Minted{}, m.era, false
	}
	return minted, m.era, true
}

// keep stores a token that was begun in an era, if it has not ended. A full cache starts anew: it holds far more than a
// node's pods ask for.
func (m *CachingMinter) keep(key string, era int, minted Minted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if era != m.era {
		return
	}
	if len(m.minted) >= maxCached {
		clear(m.minted)
	}
	m.minted[key] = minted
}
