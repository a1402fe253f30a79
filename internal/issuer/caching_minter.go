package issuer

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/token"
)

// maxCached bounds how many tokens an issuer keeps.
const maxCached = 10_000

// CachingMinter keeps the tokens that another minter makes. From half of a token's life on it has another one made in the
// background, and meanwhile hands out the one that it has, so that nobody waits and a minter may be away for as long.
type CachingMinter struct {
	minter Minter
	now    func() time.Time
	flight singleflight.Group

	mu     sync.Mutex
	minted map[string]*kept

	// era counts how often tokens were dropped. What was begun in another era is neither kept nor waited for.
	era int
}

// NewCachingMinter puts a cache before a minter.
func NewCachingMinter(minter Minter, now func() time.Time) *CachingMinter {
	return &CachingMinter{minter: minter, now: now, minted: map[string]*kept{}}
}

// Mint hands out the token that is kept, or has one made: one, however many ask for it at the same time.
func (m *CachingMinter) Mint(ctx context.Context, request MintRequest) (Minted, error) {
	found, era := m.find(request)
	if request.BypassCache {
		return m.make(ctx, request, era, true)
	}
	if found != nil && found.isServable(m.now()) {
		return found.handOut(), nil
	}
	minted, err := m.make(ctx, request, era, true)
	if err != nil && reply.AsFailure(err).RetryAfter > 0 && found != nil && found.isValid(m.now()) {
		return found.handOut(), nil
	}
	return minted, err
}

func (k *kept) handOut() Minted {
	minted := k.minted
	minted.Cached = true
	return minted
}

// find is the token that is kept, if there is one, and the era.
func (m *CachingMinter) find(request MintRequest) (*kept, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.minted[cacheKey(request)]
	if found != nil {
		found.used = true
	}
	return found, m.era
}

// make has a token made, and keeps it.
func (m *CachingMinter) make(ctx context.Context, request MintRequest, era int, used bool) (Minted, error) {
	key := cacheKey(request)
	made, err, _ := m.flight.Do(strconv.Itoa(era)+"\n"+key, func() (any, error) {
		minted, err := m.minter.Mint(context.WithoutCancel(ctx), request)
		if err == nil {
			m.keep(key, era, newKept(request, minted, used))
		}
		return minted, err
	})
	if err != nil {
		return Minted{}, err
	}
	return made.(Minted), nil
}

// keep stores a token that was begun in an era, if it has not ended. A full cache starts anew: it holds far more than a
// node's pods ask for.
func (m *CachingMinter) keep(key string, era int, fresh *kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if era != m.era {
		return
	}
	if len(m.minted) >= maxCached {
		clear(m.minted)
	}
	m.minted[key] = fresh
}

// KeepSignedBy drops the tokens that were signed with keys which are not published, and what is being made.
func (m *CachingMinter) KeepSignedBy(isPublished func(keyID string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.minted, func(_ string, one *kept) bool { return !isPublished(one.minted.KeyID) })
	m.era++
}

// cacheKey names everything that a token hangs on.
func cacheKey(request MintRequest) string {
	identity, status := request.Identity, request.Identity.Status
	return strings.Join([]string{
		request.Pod.UID, identity.Name,
		string(status.TenantID), string(status.ClientID), string(status.PrincipalID), status.ResourceID,
		string(identity.Spec.Type), token.Lifetime(identity).String(), request.Resource,
	}, "\n")
}
