package keys

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/token"
)

// KMS is what keeps keys beside the Secret.
type KMS interface {
	// Read reads the public half of a key, and tries the key.
	Read(ctx context.Context, url string) (*rsa.PublicKey, error)

	// Signer signs with the key of a URL, and returns no signature of another than the one whose public half is given.
	Signer(url string, public *rsa.PublicKey) token.SignFunc
}

// Source is where keys come from.
type Source struct {
	// URLs name the keys that the KMS keeps, in the order in which they are to be used. Without any, keys are made here.
	URLs []string

	// KMS is also needed for keys that the ring already has.
	KMS KMS

	failed  error
	retryAt time.Time
}

// trial bounds how long the keys of a KMS are tried.
const trial = 10 * time.Second

var errNoURL = errors.New("every key URL has been used: add one to signer.keys.kms")

// newSlot returns a slot with a new key: the first of the KMS's keys that works and was never in the ring.
func (s *Source) newSlot(ctx context.Context, ring keyring.Ring, now time.Time) (keyring.Slot, error) {
	if len(s.URLs) == 0 {
		return keyring.NewSlot()
	}
	// The KMS is not asked again before the next regular look at the ring.
	if s.failed != nil && now.Before(s.retryAt) {
		return keyring.Slot{}, s.failed
	}
	ctx, cancel := context.WithTimeout(ctx, trial)
	defer cancel()
	var failures []error
	for _, url := range s.URLs {
		if ring.HasURL(url) {
			continue
		}
		slot, err := s.try(ctx, url, ring)
		if err == nil {
			s.failed = nil
			return slot, nil
		}
		failures = append(failures, err)
	}
	if len(failures) == 0 {
		return keyring.Slot{}, errNoURL
	}
	s.failed, s.retryAt = errors.Join(failures...), now.Add(lookEvery)
	return keyring.Slot{}, s.failed
}

func (s *Source) try(ctx context.Context, url string, ring keyring.Ring) (keyring.Slot, error) {
	public, err := s.KMS.Read(ctx, url)
	if err != nil {
		return keyring.Slot{}, err
	}
	slot, err := keyring.NewRemoteSlot(url, public)
	if err != nil {
		return keyring.Slot{}, err
	}
	if ring.HasID(slot.ID) {
		return keyring.Slot{}, fmt.Errorf("take %s: its key %s has been used already", url, slot.ID)
	}
	return slot, nil
}

// fits reports whether a slot's key is kept where new ones are.
func (s *Source) fits(slot keyring.Slot) bool { return (slot.URL != "") == (len(s.URLs) > 0) }

// sign returns a function that signs with a key of the ring.
func (s *Source) sign(url string, public *rsa.PublicKey) token.SignFunc {
	return s.KMS.Signer(url, public)
}
