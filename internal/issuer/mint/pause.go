package mint

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/kube-imds/kube-imds/internal/failure"
)

const (
	// minFailurePause is the pause after a first failure. Each later one is twice as long, up to maxFailurePause, unless Entra
	// wants a longer one.
	minFailurePause = time.Second
	maxFailurePause = time.Minute

	// maxPauses bounds the pauses: resources are the application's choice.
	maxPauses = 1000

	// identityPerSecond and identityBurst limit an identity's exchanges for all its resources.
	identityPerSecond = 1
	identityBurst     = 30

	// maxIdentities bounds the limits of identities.
	maxIdentities = 1000
)

// Pauses keeps an identity that fails from asking Entra ID too often: Entra throttles whole tenants.
type Pauses struct {
	mu         sync.Mutex
	pauses     map[string]*pause
	identities map[string]*rate.Limiter
}

// NewPauses returns no pauses.
func NewPauses() *Pauses {
	return &Pauses{pauses: map[string]*pause{}, identities: map[string]*rate.Limiter{}}
}

// of returns the pause of an identity, as it is now, and a resource.
func (p *Pauses) of(request Request, now time.Time) *pause {
	identity := request.Identity
	parts := []string{identity.Name, string(identity.Status.TenantID), string(identity.Status.ClientID)}
	if settings := identity.Spec.Entra; settings != nil {
		parts = append(parts, settings.Authority, settings.Audience)
	}
	name := strings.Join(parts, "\n")
	key := name + "\n" + request.Resource
	p.mu.Lock()
	defer p.mu.Unlock()
	limiter, found := p.identities[name]
	if !found {
		if len(p.identities) >= maxIdentities {
			clear(p.identities)
		}
		limiter = rate.NewLimiter(identityPerSecond, identityBurst)
		p.identities[name] = limiter
	}
	one, found := p.pauses[key]
	if !found {
		if len(p.pauses) >= maxPauses {
			p.forget(now)
		}
		one = &pause{limiter: limiter}
		p.pauses[key] = one
	}
	return one
}

// forget makes room: pauses that are over go, or else all.
func (p *Pauses) forget(now time.Time) {
	for key, one := range p.pauses {
		if one.remaining(now) <= 0 {
			delete(p.pauses, key)
		}
	}
	if len(p.pauses) >= maxPauses {
		clear(p.pauses)
	}
}

// pause is the pause of one identity and resource.
type pause struct {
	limiter *rate.Limiter

	mu       sync.Mutex
	failures int
	until    time.Time
	last     *failure.Failure
}

// remaining returns how long the pause lasts.
func (p *pause) remaining(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until.Sub(now)
}

// check returns the last failure during the pause, or that the identity asks too much.
func (p *pause) check(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.until.Sub(now); wait > 0 {
		again := *p.last
		if again.Temporary() {
			again.RetryAfter = failure.RoundRetryAfter(wait)
		}
		return &again
	}
	reservation := p.limiter.ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return failure.TooMany(wait)
	}
	return nil
}

// fail begins a pause, and returns the failure.
func (p *pause) fail(failed *failure.Failure, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := min(minFailurePause<<min(p.failures, 10), maxFailurePause)
	p.failures++
	wait = max(wait+rand.N(wait/4), failed.RetryAfter)
	p.until, p.last = now.Add(wait), failed
	told := *failed
	if told.Temporary() {
		told.RetryAfter = failure.RoundRetryAfter(wait)
	}
	return &told
}

// succeed ends the failures.
func (p *pause) succeed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = 0
}
