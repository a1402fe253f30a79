package issuer

import (
	"math/rand/v2"
	"time"
)

const (
	// scarce is the remaining life below which a kept token is only handed out for want of a better one, as Azure's SDKs
	// ask again then.
	scarce = 5 * time.Minute

	// renewalSpread is the part of a token's life over which the renewals of tokens that were made together are spread.
	renewalSpread = 0.04
)

// kept is a token that is kept.
type kept struct {
	minted  Minted
	request MintRequest

	// renewAt is when another one is made, if this one was asked for.
	renewAt time.Time
	used    bool
}

// newKept keeps a token that somebody asked for, or that was made ahead.
func newKept(request MintRequest, minted Minted, used bool) *kept {
	life := minted.Expiry.Sub(minted.NotBefore)
	part := 0.5 - renewalSpread*rand.Float64()
	// Whoever renews it has no token of the pod's, which would have expired by then.
	request.Pod.Token, request.BypassCache = "", false
	return &kept{
		minted: minted, request: request, used: used,
		renewAt: minted.NotBefore.Add(time.Duration(float64(life) * part)),
	}
}

// isValid tells whether the token can be handed out for want of a better one.
func (k *kept) isValid(now time.Time) bool { return now.Before(k.minted.Expiry) }

// isServable tells whether the token can be handed out.
func (k *kept) isServable(now time.Time) bool { return k.minted.Expiry.Sub(now) > scarce }

// isDue tells whether another token is to be made.
func (k *kept) isDue(now time.Time) bool { return k.used && !now.Before(k.renewAt) }
