// Package keyring decides which keys sign and which are published: a current key, its successor, and those that have signed
// what may still be valid. Keys sign tokens, or are certificate authorities'. Its decisions are pure; what carries them out is
// elsewhere.
package keyring

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Ring is all keys, in their slots. It is a value: every change makes another one.
type Ring struct {
	// Generation counts the changes, so that nobody publishes an older ring over a newer one.
	Generation int64 `json:"generation"`

	// Revocations counts the times at which keys were revoked. Whoever keeps tokens drops them when it changes.
	Revocations int64 `json:"revocations"`

	// Current signs; Next is published ahead of its use. Either may be missing.
	Current *Slot `json:"current,omitempty"`
	Next    *Slot `json:"next,omitempty"`

	// Retired keys sign no more, and stay published until their last token has expired.
	Retired []Slot `json:"retired,omitempty"`

	// Spent are keys of a KMS that were in the ring and may not come back.
	Spent []Spent `json:"spent,omitempty"`
}

// Slot is a key and what has become of it. Times are zero until it happens.
type Slot struct {
	// ID is the key's ID (kid).
	ID string `json:"id"`

	// Private is the private half: PKCS #8, in DER.
	Private []byte `json:"private,omitempty"`

	// URL names the key where a KMS keeps it, and Public is its public half then: PKIX, in DER.
	URL    string `json:"url,omitempty"`
	Public []byte `json:"public,omitempty"`

	// Certificate is that of a certificate authority, in DER: it stays when the private half of a retired one is gone.
	Certificate []byte `json:"certificate,omitempty"`

	// Published is when the key was first seen to be published, Activated when it began to sign, Retired when it ended.
	Published time.Time `json:"published,omitzero"`
	Activated time.Time `json:"activated,omitzero"`
	Retired   time.Time `json:"retired,omitzero"`
}

// Parse reads a ring. Nothing is an empty one.
func Parse(content []byte) (Ring, error) {
	var ring Ring
	if len(content) == 0 {
		return ring, nil
	}
	if err := json.Unmarshal(content, &ring); err != nil {
		// The error may quote what it could not read.
		return Ring{}, fmt.Errorf("read the keys: what is kept is no JSON of keys")
	}
	return ring, nil
}

// Render writes a ring, private halves and all.
func (r Ring) Render() ([]byte, error) {
	content, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write the keys: %w", err)
	}
	return content, nil
}

// IsEmpty reports whether nothing was ever kept. A ring all of whose keys were revoked is not empty.
func (r Ring) IsEmpty() bool { return r.Generation == 0 }

// Published are the keys that validators are to know, the current one first.
func (r Ring) Published() []Slot {
	var slots []Slot
	for _, slot := range []*Slot{r.Current, r.Next} {
		if slot != nil {
			slots = append(slots, *slot)
		}
	}
	return append(slots, r.Retired...)
}

// clone is a ring whose slots can be changed.
func (r Ring) clone() Ring {
	for _, slot := range []**Slot{&r.Current, &r.Next} {
		if *slot != nil {
			copied := **slot
			*slot = &copied
		}
	}
	r.Retired = slices.Clone(r.Retired)
	return r
}
