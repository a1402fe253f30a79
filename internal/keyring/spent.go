package keyring

import "slices"

// Spent is a key that has left the ring. A key that a KMS keeps is still there, and must not be taken for a new one.
type Spent struct {
	// ID is the key's ID, and URL where the KMS keeps it; empty where that is not known.
	ID  string `json:"id"`
	URL string `json:"url,omitempty"`
}

// Spend is the ring with a note of each key of a KMS that it has lost since before.
func (r Ring) Spend(before Ring) Ring {
	r.Spent = slices.Clone(r.Spent)
	for _, slot := range before.Published() {
		if slot.URL != "" && !r.HasID(slot.ID) {
			r.Spent = append(r.Spent, Spent{ID: slot.ID, URL: slot.URL})
		}
	}
	return r
}

// SpendIDs is the ring with a note of keys of which no more is known than their IDs.
func (r Ring) SpendIDs(ids []string) Ring {
	r.Spent = slices.Clone(r.Spent)
	for _, id := range ids {
		if !r.HasID(id) {
			r.Spent = append(r.Spent, Spent{ID: id})
		}
	}
	return r
}

// HasURL reports whether the key that a KMS keeps under a URL is in the ring, or has been.
func (r Ring) HasURL(url string) bool { return r.has(func(one Spent) bool { return one.URL == url }) }

// HasID reports whether the key of an ID is in the ring, or has been.
func (r Ring) HasID(id string) bool { return r.has(func(one Spent) bool { return one.ID == id }) }

func (r Ring) has(is func(Spent) bool) bool {
	return slices.ContainsFunc(r.Spent, is) ||
		slices.ContainsFunc(r.Published(), func(slot Slot) bool { return is(Spent{ID: slot.ID, URL: slot.URL}) })
}
