package token

import (
	"sync"
	"time"
)

// The times of a key's life. A key signs for signingTime; the next one is made overlap before that ends, which gives
// validators that cache a JWKS ten minutes time to see it; and a key is published until the last token that can
// have been signed with it has expired, with days to spare for an API server that is away.
const (
	validity    = 72 * time.Hour
	signingTime = 24 * time.Hour
	overlap     = time.Hour
	publishTime = 10 * time.Minute
)

// Ring holds an issuer's keys as slots: the one that signs and the next one. It is safe for concurrent use.
type Ring struct {
	now func() time.Time

	mu      sync.RWMutex
	current *slot
	next    *slot
}

// slot is a key and when it was published; zero until it is.
type slot struct {
	key       *Key
	published time.Time
}

// NewRing makes an empty ring.
func NewRing(now func() time.Time) *Ring { return &Ring{now: now} }

// Prepare makes a key if one is needed, and returns the keys that are not published yet: they are to be registered.
func (r *Ring) Prepare() ([]*Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	switch {
	case r.current == nil:
		key, err := NewKey(now, validity)
		if err != nil {
			return nil, err
		}
		r.current = &slot{key: key}
	case r.next == nil && shouldPrepareNext(r.current, now):
		key, err := NewKey(now, validity)
		if err != nil {
			return nil, err
		}
		r.next = &slot{key: key}
	}
	var unpublished []*Key
	for _, s := range []*slot{r.current, r.next} {
		if s != nil && s.published.IsZero() {
			unpublished = append(unpublished, s.key)
		}
	}
	return unpublished, nil
}

// Published notes that the keys with these IDs are published, and that no other key of the ring is any more: one that
// was and has gone was taken away, with its node or by somebody, and must not sign. Neither does one that has expired:
// it will not be published any more.
func (r *Ring) Published(ids map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.current, r.next = r.current.see(ids, now), r.next.see(ids, now)
	if r.current == nil || r.next != nil && shouldActivateNext(r.current, r.next, now) {
		r.current, r.next = r.next, nil
	}
}

// see is the slot after a look at what is published; nil if its key was and is no more, or has expired.
func (s *slot) see(ids map[string]bool, now time.Time) *slot {
	switch {
	case s == nil || !now.Before(s.key.NotAfter):
		return nil
	case ids[s.key.ID]:
		if s.published.IsZero() {
			s.published = now
		}
		return s
	case s.published.IsZero():
		return s
	}
	return nil
}

// Signer is the key for a token that expires at a time; nil where none can sign it now.
func (r *Ring) Signer(expiry time.Time) *Key {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.current == nil || !canSign(r.current, expiry) {
		return nil
	}
	return r.current.key
}

func shouldPrepareNext(current *slot, now time.Time) bool {
	return now.After(current.key.NotBefore.Add(signingTime - overlap))
}

func shouldActivateNext(current, next *slot, now time.Time) bool {
	return !next.published.IsZero() && now.After(next.published.Add(publishTime)) &&
		now.After(current.key.NotBefore.Add(signingTime))
}

// canSign keeps a token from outliving its key. A key may sign longer than it should where the next one cannot be
// published.
func canSign(s *slot, expiry time.Time) bool {
	return !s.published.IsZero() && !expiry.After(s.key.NotAfter)
}
