package mint

import (
	"maps"
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

	// identityPerSecond and identityBurst limit an identity's exchanges for all resources that it has got no token for.
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
func (p *Pauses) of(request Request) *pause {
	identity := request.Identity
	parts := []string{identity.Name, string(identity.Status.TenantID), string(identity.Status.ClientID), subjectOf(request)}
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
			p.forget()
		}
		one = &pause{limiter: limiter}
		p.pauses[key] = one
	}
	return one
}

// forget makes room: pauses of resources without a token go, which an application may have invented, or else all.
func (p *Pauses) forget() {
	maps.DeleteFunc(p.pauses, func(_ string, one *pause) bool { return !one.hasIssued() })
	if len(p.pauses) >= maxPauses {
		clear(p.pauses)
	}
}

// pause is the pause of one identity and resource.
type pause struct {
	limiter *rate.Limiter

	mu       sync.Mutex
	issued   bool
	failures int
	until    time.Time
	last     *failure.Failure
}

// hasIssued reports whether there was a token.
func (p *pause) hasIssued() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.issued
}

// admit lets an exchange begin. During the pause it returns the last failure, and another one if the identity asks too much.
// If there is no exchange after all, refund must be called.
func (p *pause) admit(now time.Time) (refund func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.until.Sub(now); wait > 0 {
		again := *p.last
		if again.Temporary() {
			again.RetryAfter = failure.RoundRetryAfter(wait)
		}
		return nil, &again
	}
	if p.issued {
		return func() {}, nil
	}
	reservation := p.limiter.ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return nil, failure.TooMany(wait)
	}
	return func() { reservation.CancelAt(now) }, nil
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
	p.failures, p.issued = 0, true
}
