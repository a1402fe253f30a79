package mint

import (
	"context"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/token"
)

const (
	// maxCached bounds the tokens that a Cache holds.
	maxCached = 10_000

	// minRemaining is the remaining life below which a token is returned only if no new one can be minted: Azure's SDKs
	// ask again then.
	minRemaining = 5 * time.Minute

	// minSharedAge is the age below which a shared token is not replaced on demand: one pod would use up the exchanges of all.
	minSharedAge = 30 * time.Second

	// renewalJitter is the part of a token's life over which renewals of tokens minted together are spread.
	renewalJitter = 0.04
)

// Cache caches the tokens of another minter. Once half of a token's life has passed it renews the token in the background,
// so that no request waits and the minter may be away for the other half.
type Cache struct {
	minter Minter
	now    func() time.Time

	// shared caches hold a token for all pods that are granted the identity, or for those of a ServiceAccount if theirs are the
	// assertions. The issuer's own decision keeps others away.
	shared bool

	flights flights

	mu     sync.Mutex
	tokens map[string]*cached

	// generation counts calls of KeepSignedBy. Tokens of an earlier generation are neither cached nor waited for.
	generation int
}

// NewCache returns a cache in front of a minter.
func NewCache(minter Minter, now func() time.Time) *Cache {
	return &Cache{minter: minter, now: now, tokens: map[string]*cached{}}
}

// NewSharedCache returns a cache in front of a minter whose tokens are the same for all pods.
func NewSharedCache(minter Minter, now func() time.Time) *Cache {
	cache := NewCache(minter, now)
	cache.shared = true
	return cache
}

// Mint returns the cached token, or mints one: a single one for all concurrent requests.
func (c *Cache) Mint(ctx context.Context, request Request) (Minted, error) {
	found, generation := c.find(request)
	if c.serves(found, request) {
		return found.asCached(), nil
	}
	minted, err := c.mint(ctx, request, generation, true)
	mayBeOld := !request.BypassCache || c.isNew(found)
	if err != nil && mayBeOld && found != nil && found.remaining(c.now()) > 0 && (c.shared || failure.Of(err).Temporary()) {
		return found.asCached(), nil
	}
	return minted, err
}

// serves reports whether a cached token is what a request wants.
func (c *Cache) serves(found *cached, request Request) bool {
	if found == nil || request.BypassCache && !c.isNew(found) {
		return false
	}
	return found.remaining(c.now()) > minRemaining
}

// isNew reports whether a token is so new that no pod gets another one, because all pods share it.
func (c *Cache) isNew(one *cached) bool {
	return c.shared && one != nil && c.now().Sub(one.mintedAt) < minSharedAge
}

// find returns the cached token, if there is one, and the generation.
func (c *Cache) find(request Request) (*cached, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.tokens[c.key(request)]
	if found != nil {
		found.used = true
		// At the renewal the pod that asked first may be gone, and its assertions expired.
		found.request.Pod = withoutToken(request.Pod)
	}
	return found, c.generation
}

// mint mints a token and caches it. Other requests for the token wait for it too. used says whether a pod asked for the token, or a
// renewal.
func (c *Cache) mint(ctx context.Context, request Request, generation int, used bool) (Minted, error) {
	key, pod := c.key(request), ""
	if c.shared {
		pod = request.Pod.UID
	}
	minted, err := c.flights.do(strconv.Itoa(generation)+"\n"+key, pod, func() (any, error) {
		// Since the request found nothing, another one's token may have come.
		if used {
			if found, now := c.find(request); now == generation && c.serves(found, request) {
				return found.asCached(), nil
			}
		}
		// Others wait for it too, so it must not end with the first one's request.
		minted, err := c.minter.Mint(context.WithoutCancel(ctx), request)
		if err != nil {
			return nil, err
		}
		fresh := newCached(request, minted, used, c.now())
		c.store(key, generation, fresh)
		return fresh.minted, nil
	})
	if err != nil {
		return Minted{}, err
	}
	return minted.(Minted), nil
}

// store caches a token of the current generation. A full cache is emptied: it holds far more than the pods of a node use.
func (c *Cache) store(key string, generation int, fresh *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.generation {
		return
	}
	if len(c.tokens) >= maxCached {
		clear(c.tokens)
	}
	c.tokens[key] = fresh
}

// KeepSignedBy drops the tokens whose keys are not published, and ignores those that are being minted.
func (c *Cache) KeepSignedBy(isPublished func(keyID string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.tokens, func(_ string, one *cached) bool { return !isPublished(one.minted.KeyID) })
	c.generation++
}

// key names everything that a token depends on.
func (c *Cache) key(request Request) string {
	identity, status := request.Identity, request.Identity.Status
	pod, settings := request.Pod.UID, v1alpha1.EntraSettings{}
	if c.shared {
		pod = subjectOf(request)
	}
	if identity.Spec.Entra != nil {
		settings = *identity.Spec.Entra
	}
	return strings.Join([]string{
		pod, identity.Name, settings.Authority, settings.Audience,
		string(status.TenantID), string(status.ClientID), string(status.PrincipalID), status.ResourceID,
		string(identity.Spec.Type), token.Lifetime(identity).String(), request.Resource,
	}, "\n")
}

// cached is a token in a Cache.
type cached struct {
	// minted is the token. It is renewed at its RenewAt, if it was used.
	minted  Minted
	request Request

	mintedAt time.Time
	used     bool
}

// newCached returns a cache entry. used says whether a pod asked for the token, or a renewal.
func newCached(request Request, minted Minted, used bool, now time.Time) *cached {
	life := minted.Expiry.Sub(minted.NotBefore)
	renewAt := minted.NotBefore.Add(life / 2)
	if !minted.RenewAt.IsZero() {
		renewAt = minted.RenewAt
	}
	minted.RenewAt = renewAt.Add(-time.Duration(renewalJitter * rand.Float64() * float64(life)))
	request.Pod, request.BypassCache = withoutToken(request.Pod), false
	return &cached{minted: minted, request: request, used: used, mintedAt: now}
}

// withoutToken returns a pod without its token for the issuer, which has expired when a renewal comes.
func withoutToken(pod Pod) Pod {
	pod.Token = ""
	return pod
}

func (c *cached) asCached() Minted {
	minted := c.minted
	minted.Cached = true
	return minted
}

func (c *cached) remaining(now time.Time) time.Duration { return c.minted.Expiry.Sub(now) }

// isDue reports whether the token is to be renewed.
func (c *cached) isDue(now time.Time) bool { return c.used && !now.Before(c.minted.RenewAt) }
