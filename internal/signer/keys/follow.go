package keys

import (
	"time"

	"github.com/kube-imds/kube-imds/internal/keyring"
)

// overlap is how long replicas with other settings may run beside this one during a rollout.
const overlap = 5 * time.Minute

// follow makes the ring follow its source, the Secret or a KMS, and returns whether to rotate. A next key of the other kind
// is replaced, but only after replicas of the other kind are gone, which would replace it again. A current key of the other
// kind is rotated away as soon as the next one has been published for long enough.
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
		// An existing key is better than none.
		return ring, rotate, err
	}
	ring.Next = &slot
	ring.Generation++
	return ring, rotate, nil
}

// tellMissing logs once why there is no next key.
func (k *Keeper) tellMissing(err error) {
	if err == nil {
		successorMissing.WithLabelValues(k.Name).Set(0)
		k.missing = ""
		return
	}
	successorMissing.WithLabelValues(k.Name).Set(1)
	if text := err.Error(); text != k.missing {
		k.missing = text
		k.Log.Error(err, "there is no key to sign after the current one")
	}
}
