package keyring

import (
	"slices"
	"time"
)

// Policy says when keys follow each other.
type Policy struct {
	// Ahead is how long a key is published before it signs, because validators cache what they have read.
	Ahead time.Duration

	// Every is how long a key signs.
	Every time.Duration

	// Keep is how long a key stays published after it has signed its last token.
	Keep time.Duration
}

// Orders are an administrator's requests.
type Orders struct {
	// Rotate asks for the next key to sign as soon as it has been published for long enough.
	Rotate bool

	// Revoke holds the IDs of keys to withdraw at once; CurrentKey means the one that signs.
	Revoke []string
}

// CurrentKey names the key that signs in Orders.Revoke.
const CurrentKey = "current"

// Look is the input of Advance.
type Look struct {
	// Published reports whether a key has been seen published.
	Published func(id string) bool

	Policy Policy
	Orders Orders
	Now    time.Time
}

// Advance returns the ring after its next step, and whether it carried out an ordered rotation. An error comes from
// newSlot: the returned ring is still valid, but has no successor.
func (r Ring) Advance(look Look, newSlot func() (Slot, error)) (next Ring, rotated bool, err error) {
	next = r.clone()
	changed := next.notePublished(look)
	changed = next.revoke(look.Orders.Revoke) || changed
	if shouldActivate(next, look) {
		rotated = next.Current != nil
		next.activate(look.Now)
		changed = true
	}
	if next.Next == nil {
		var made Slot
		if made, err = newSlot(); err == nil {
			next.Next, changed = &made, true
		}
	}
	before := len(next.Retired)
	next.Retired = slices.DeleteFunc(next.Retired, func(slot Slot) bool { return shouldWithdraw(slot, look) })
	if changed || len(next.Retired) != before {
		next.Generation++
	}
	return next, rotated, err
}

// notePublished dates the keys that are seen published for the first time.
func (r *Ring) notePublished(look Look) (changed bool) {
	for _, slot := range []*Slot{r.Current, r.Next} {
		if slot != nil && slot.Published.IsZero() && look.Published(slot.ID) {
			slot.Published, changed = look.Now, true
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

// shouldActivate reports whether the next key should sign. If none signs, as in a new cluster or after a revocation, it
// signs once it is published.
func shouldActivate(r Ring, look Look) bool {
	if r.Next == nil || r.Next.Published.IsZero() {
		return false
	}
	if r.Current == nil {
		return true
	}
	known := !look.Now.Before(r.Next.Published.Add(look.Policy.Ahead))
	due := !look.Now.Before(r.Current.Activated.Add(look.Policy.Every))
	return known && (due || look.Orders.Rotate)
}

// shouldWithdraw reports whether no token of a retired key can still be valid.
func shouldWithdraw(slot Slot, look Look) bool {
	return !look.Now.Before(slot.Retired.Add(look.Policy.Keep))
}
