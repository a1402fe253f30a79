package keyring

import "slices"

// Spent is a key that has left the ring. A key in a KMS still exists, and must not be used as a new one.
type Spent struct {
	// ID is the key's ID. URL is where the KMS has it, or "" if unknown.
	ID  string `json:"id"`
	URL string `json:"url,omitempty"`
}

// Spend returns the ring with each KMS key that it has lost since before among its spent keys.
func (r Ring) Spend(before Ring) Ring {
	r.Spent = slices.Clone(r.Spent)
	for _, slot := range before.Published() {
		if slot.URL != "" && !r.HasID(slot.ID) {
			r.Spent = append(r.Spent, Spent{ID: slot.ID, URL: slot.URL})
		}
	}
	return r
}

// SpendIDs returns the ring with keys of which only the IDs are known among its spent keys.
func (r Ring) SpendIDs(ids []string) Ring {
	r.Spent = slices.Clone(r.Spent)
	for _, id := range ids {
		if !r.HasID(id) {
			r.Spent = append(r.Spent, Spent{ID: id})
		}
	}
	return r
}

// HasURL reports whether a KMS key is or was in the ring.
func (r Ring) HasURL(url string) bool { return r.has(func(one Spent) bool { return one.URL == url }) }

// HasID reports whether a key is or was in the ring.
func (r Ring) HasID(id string) bool { return r.has(func(one Spent) bool { return one.ID == id }) }

func (r Ring) has(is func(Spent) bool) bool {
	return slices.ContainsFunc(r.Spent, is) ||
		slices.ContainsFunc(r.Published(), func(slot Slot) bool { return is(Spent{ID: slot.ID, URL: slot.URL}) })
}
