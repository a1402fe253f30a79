package certificate

import (
	"crypto/tls"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// spread is over how long all parts of an installation ask anew when another authority signs: thousands of nodes hear of it
// at once.
const spread = 10 * time.Minute

// held is a certificate that was issued.
type held struct {
	pair *tls.Certificate

	// renewAt is until when it is good enough: two thirds of its life, less a little.
	renewAt time.Time

	// overtaken is when it was first seen that another authority signs, and turn how long after that it is asked for anew.
	overtaken time.Time
	turn      time.Duration
}

func newHeld(pair *tls.Certificate) *held {
	life := pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore)
	early := time.Duration(rand.Int64N(int64(life/20) + 1))
	return &held{pair: pair, renewAt: pair.Leaf.NotBefore.Add(life*2/3 - early), turn: rand.N(spread)}
}

// due is how long it takes until another certificate is to be asked for: one that is missing, has other names, or is of an
// authority that is gone, at once; one of an authority that signs no more, when it is its turn.
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
