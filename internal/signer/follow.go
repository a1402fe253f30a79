package signer

import (
	"time"

	"github.com/kube-imds/kube-imds/internal/keyring"
)

// overlap is how long replicas that are told otherwise may run beside this one, while an update rolls out.
const overlap = 5 * time.Minute

// follow has the ring follow its source, between the Secret and a KMS, and returns whether to rotate. A next key of the other
// kind is replaced, but not before replicas of the other kind are gone, which would replace it in turn; a current one is
// followed by the next as soon as that has been published for long enough.
func (k *Keeper) follow(ring keyring.Ring, rotate bool, newSlot func() (keyring.Slot, error)) (keyring.Ring, bool, error) {
	if ring.Next == nil || k.Source.fits(*ring.Next) {
		k.unfit = time.Time{}
		return ring, rotate || ring.Current != nil && !k.Source.fits(*ring.Current), nil
	}
	if k.unfit.IsZero() {
		k.unfit = k.Now()
	}
	if k.Now().Sub(k.unfit) < min(overlap, k.Policy.Ahead) {
		return ring, rotate, nil
	}
	slot, err := newSlot()
	if err != nil {
		// The key that there is is better than none.
		return ring, rotate, err
	}
	ring.Next = &slot
	ring.Generation++
	return ring, rotate, nil
}

// tellMissing tells once why there is no key to follow the current one.
func (k *Keeper) tellMissing(err error) {
	if err == nil {
		successorMissing.Set(0)
		k.missing = ""
		return
	}
	successorMissing.Set(1)
	if text := err.Error(); text != k.missing {
		k.missing = text
		k.Log.Error(err, "there is no key to sign after the current one")
	}
}
