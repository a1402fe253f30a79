package issuer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/internal/federation/installation"
	"github.com/kube-imds/kube-imds/internal/keyring"
)

// A signer without a way to the public files reads none of them. It signs with the keys that an administrator has recorded as public.
func TestEntraWithRecordedKeys(t *testing.T) {
	e := startEntra(t, true)
	e.publish(t)
	if a := e.refused(t, e.bearer, http.StatusServiceUnavailable); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	e.awaitCondition(t, "Federated", "False", "kubectl imds federation check --record")

	e.record(t, e.keys(t)...)
	eventually(t, "the recorded key signs", func() error {
		if a := e.askForAssertion(t); a.status != http.StatusOK {
			return fmt.Errorf("got %d %s", a.status, a.body)
		}
		return nil
	})
	before := e.assertionKey(t)

	e.annotate(t, names.FederationKeys(), keyring.RotateAnnotation, "now")
	eventually(t, "there is a successor", func() error {
		if e.nextKey(t, before) == "" {
			return fmt.Errorf("there is none")
		}
		return nil
	})
	for range 20 {
		if now := e.assertionKey(t); now != before {
			t.Fatalf("key %s signs although it is not recorded", now)
		}
	}
	if read := e.read.Load(); read != 0 {
		t.Errorf("the public files were read %d times", read)
	}
	e.record(t, e.keys(t)...)
	eventually(t, "the successor signs", func() error {
		if e.assertionKey(t) == before {
			return fmt.Errorf("key %s still signs", before)
		}
		return nil
	})

	// Entra ID reads what is public.
	e.publish(t)
	e.register(e.credential())
	e.grantedTo(t, e.bearer, vault)
}

// keys returns the IDs of the federation issuer's keys.
func (e *entraTest) keys(t *testing.T) []string {
	t.Helper()
	return e.installation(t).KeyIDs
}

// record records keys as kubectl imds federation check --record does.
func (e *entraTest) record(t *testing.T, keyIDs ...string) {
	t.Helper()
	found := e.installation(t)
	must(t, found.Record(t.Context(), e.Client, keyIDs), "record the public keys")
	for _, id := range keyIDs {
		if !e.installation(t).Recorded[id] {
			t.Errorf("%s is not recorded, but %s", id, strings.Join(slices.Sorted(slices.Values(keyIDs)), ", "))
		}
	}
}

func (e *entraTest) installation(t *testing.T) *installation.Installation {
	t.Helper()
	found, err := installation.Find(t.Context(), e.Client, namespace)
	must(t, err, "find the federation issuer")
	return found
}
