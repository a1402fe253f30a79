package keyring

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Ring holds all keys in slots. It is a value: every change returns another ring.
type Ring struct {
	// Generation counts the changes, so that no replica publishes an older ring over a newer one.
	Generation int64 `json:"generation"`

	// Revocations counts revocations of keys. Caches of tokens are dropped when it changes.
	Revocations int64 `json:"revocations"`

	// Current signs, and Next is published ahead of its use. Either may be nil.
	Current *Slot `json:"current,omitempty"`
	Next    *Slot `json:"next,omitempty"`

	// Retired keys no longer sign. They stay published until their last token has expired.
	Retired []Slot `json:"retired,omitempty"`

	// Spent lists the keys of a KMS that were in the ring and must not return.
	Spent []Spent `json:"spent,omitempty"`
}

// Slot is a key and its history. A time is zero until it happens.
type Slot struct {
	// ID is the key's ID (kid).
	ID string `json:"id"`

	// Private is the private half: PKCS #8 in DER.
	Private []byte `json:"private,omitempty"`

	// URL names a key in a KMS, and Public is then its public half: PKIX in DER.
	URL    string `json:"url,omitempty"`
	Public []byte `json:"public,omitempty"`

	// Certificate is a certificate authority's certificate in DER. A retired one keeps it after its private half is
	// dropped.
	Certificate []byte `json:"certificate,omitempty"`

	// Published is when the key was first seen published, Activated when it began to sign, and Retired when it stopped.
	Published time.Time `json:"published,omitzero"`
	Activated time.Time `json:"activated,omitzero"`
	Retired   time.Time `json:"retired,omitzero"`
}

// Parse parses a ring. Empty content is an empty ring.
func Parse(content []byte) (Ring, error) {
	var ring Ring
	if len(content) == 0 {
		return ring, nil
	}
	if err := json.Unmarshal(content, &ring); err != nil {
		// The error may quote the keys.
		return Ring{}, fmt.Errorf("read the keys: the stored content is not JSON of keys")
	}
	return ring, nil
}

// Render returns the ring as JSON, including private halves.
func (r Ring) Render() ([]byte, error) {
	content, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write the keys: %w", err)
	}
	return content, nil
}

// IsEmpty reports whether no ring was ever stored. A ring whose keys were all revoked is not empty.
func (r Ring) IsEmpty() bool { return r.Generation == 0 }

// Published returns the slots that validators should know, the current one first.
func (r Ring) Published() []Slot {
	var slots []Slot
	for _, slot := range []*Slot{r.Current, r.Next} {
		if slot != nil {
			slots = append(slots, *slot)
		}
	}
	return append(slots, r.Retired...)
}

// clone returns a copy whose slots can be changed.
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
