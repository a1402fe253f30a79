package keyring

import (
	"slices"
	"time"
)

// Policy says when keys succeed each other.
type Policy struct {
	// Ahead is how long a key is published before it signs, because validators cache what they have read.
	Ahead time.Duration

	// Every is how long a key signs.
	Every time.Duration

	// Keep is how long a key stays published after it has signed its last token.
	Keep time.Duration
}

// Orders are requests of an administrator.
type Orders struct {
	// Rotate asks for the next key to sign as soon as it has been published for long enough.
	Rotate bool

	// Revoke holds the IDs of keys to withdraw at once; CurrentKey means the one that signs.
	Revoke []string
}

// CurrentKey names the key that signs in Orders.Revoke.
const CurrentKey = "current"

// Input is what Advance decides by.
type Input struct {
	// Published reports whether a key has been seen published.
	Published func(id string) bool

	Policy Policy
	Orders Orders
	Now    time.Time
}

// Advance returns the ring after its next step, and whether it carried out an ordered rotation. An error comes from
// newSlot: the returned ring is still valid, but has no successor.
func (r Ring) Advance(in Input, newSlot func() (Slot, error)) (next Ring, rotated bool, err error) {
	next = r.clone()
	changed := next.notePublished(in)
	changed = next.revoke(in.Orders.Revoke) || changed
	if shouldActivate(next, in) {
		rotated = next.Current != nil
		next.activate(in.Now)
		changed = true
	}
	if next.Next == nil {
		var made Slot
		if made, err = newSlot(); err == nil {
			next.Next, changed = &made, true
		}
	}
	before := len(next.Retired)
	next.Retired = slices.DeleteFunc(next.Retired, func(slot Slot) bool { return shouldWithdraw(slot, in) })
	if changed || len(next.Retired) != before {
		next.Generation++
	}
	return next, rotated, err
}

// notePublished records when keys were first seen published.
func (r *Ring) notePublished(in Input) (changed bool) {
	for _, slot := range []*Slot{r.Current, r.Next} {
		if slot != nil && slot.Published.IsZero() && in.Published(slot.ID) {
			slot.Published, changed = in.Now, true
		}
	}
	return changed
}

// revoke removes keys from the ring.
func (r *Ring) revoke(ids []string) (changed bool) {
	isRevoked := func(slot *Slot) bool {
		return slot != nil && (slices.Contains(ids, slot.ID) || slot == r.Current && slices.Contains(ids, CurrentKey))
	}
	if isRevoked(r.Next) {
		r.Next, changed = nil, true
	}
	if isRevoked(r.Current) {
		r.Current, changed = nil, true
	}
	before := len(r.Retired)
	r.Retired = slices.DeleteFunc(r.Retired, func(slot Slot) bool { return isRevoked(&slot) })
	if changed = changed || len(r.Retired) != before; changed {
		r.Revocations++
	}
	return changed
}

// activate makes the next key sign.
func (r *Ring) activate(now time.Time) {
	if r.Current != nil {
		r.Current.Retired = now
		r.Retired = append(r.Retired, *r.Current)
	}
	r.Current, r.Next = r.Next, nil
	r.Current.Activated = now
}

// shouldActivate reports whether the next key should sign. Without a current key, as in a new cluster or after a revocation, it
// signs once it is published.
func shouldActivate(r Ring, in Input) bool {
	if r.Next == nil || r.Next.Published.IsZero() {
		return false
	}
	if r.Current == nil {
		return true
	}
	known := !in.Now.Before(r.Next.Published.Add(in.Policy.Ahead))
	due := !in.Now.Before(r.Current.Activated.Add(in.Policy.Every))
	return known && (due || in.Orders.Rotate)
}

// shouldWithdraw reports whether no token of a retired key can still be valid.
func shouldWithdraw(slot Slot, in Input) bool {
	return !in.Now.Before(slot.Retired.Add(in.Policy.Keep))
}
