package dev

import (
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-imds/kube-imds/internal/token"
)

// TestKeysTurn follows the keys for a week: there is always one to sign with, it is published, and so is every key that
// has signed a token of an hour that is still valid.
func TestKeysTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := newKeys(nil, time.Now)
		if err := keys.turn(); err != nil {
			t.Fatal(err)
		}
		go keys.run(t.Context(), slog.New(slog.DiscardHandler))
		var signers []string
		var signed []struct {
			id      string
			expires time.Time
		}
		for range 7 * 24 * 2 {
			time.Sleep(30 * time.Minute)
			synctest.Wait()
			expires := time.Now().Add(token.DefaultLifetime)
			signer := keys.ring.Signer(expires)
			if signer == nil {
				t.Fatalf("no key signs at %v", time.Now())
			}
			if !slices.Contains(signers, signer.ID) {
				signers = append(signers, signer.ID)
			}
			signed = append(signed, struct {
				id      string
				expires time.Time
			}{signer.ID, expires})
			published := publishedIDs(t, keys)
			for _, one := range signed {
				if time.Now().Before(one.expires) && !slices.Contains(published, one.id) {
					t.Errorf("at %v the key of a token that is valid is not published", time.Now())
				}
			}
			if len(published) > 5 {
				t.Fatalf("%d keys are published", len(published))
			}
		}
		// Each is made an hour before the one before it has signed for a day.
		if want := 7*24/23 + 1; len(signers) != want {
			t.Errorf("%d keys signed in seven days, not %d", len(signers), want)
		}
	})
}

func publishedIDs(t *testing.T, keys *keys) []string {
	t.Helper()
	registered, err := keys.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, key := range registered {
		ids = append(ids, key.Spec.KeyID)
	}
	return ids
}
