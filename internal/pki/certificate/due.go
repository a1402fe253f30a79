package certificate

import (
	"crypto/tls"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// spread is the time over which all parts renew their certificates when another authority signs: thousands of nodes hear of
// it at once.
const spread = 10 * time.Minute

// held is an issued certificate.
type held struct {
	pair *tls.Certificate

	// renewAt is when the certificate is due: after about two thirds of its life.
	renewAt time.Time

	// overtaken is when another authority was first seen to sign, and turn is how long after that the certificate is due.
	overtaken time.Time
	turn      time.Duration
}

func newHeld(pair *tls.Certificate) *held {
	life := pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore)
	early := time.Duration(rand.Int64N(int64(life/20) + 1))
	return &held{pair: pair, renewAt: pair.Leaf.NotBefore.Add(life*2/3 - early), turn: rand.N(spread)}
}

// due returns how long until another certificate is due. One that is missing, has other names, or is from an authority that
// is gone is due at once; one from an authority that no longer signs is due at its turn.
func (h *held) due(names []string, authorities cabundle.Bundle, now time.Time) time.Duration {
	if h == nil || !slices.Equal(h.pair.Leaf.DNSNames, names) {
		return 0
	}
	due := h.renewAt.Sub(now)
	switch rank := authorities.SignerOf(h.pair.Leaf); {
	case rank < 0:
		return 0
	case rank == 0:
		h.overtaken = time.Time{}
		return due
	}
	if h.overtaken.IsZero() {
		h.overtaken = now
	}
	return min(due, h.overtaken.Add(h.turn).Sub(now))
}
