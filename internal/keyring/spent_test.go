package keyring

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/token"
)

func TestLostKMSKeysAreSpent(t *testing.T) {
	t.Parallel()
	before := Ring{
		Current: &Slot{ID: "a", URL: "kms://a"}, Next: &Slot{ID: "b", URL: "kms://b"},
		Retired: []Slot{{ID: "c", URL: "kms://c"}, {ID: "d", Private: []byte("d")}}, Spent: []Spent{{ID: "e", URL: "kms://e"}},
	}
	after := Ring{Current: before.Next, Spent: before.Spent}.Spend(before)
	want := []Spent{{"e", "kms://e"}, {"a", "kms://a"}, {"c", "kms://c"}}
	if diff := cmp.Diff(want, after.Spent); diff != "" {
		t.Errorf("spent (-want +got):\n%s", diff)
	}
	for url, want := range map[string]bool{"kms://a": true, "kms://b": true, "kms://e": true, "kms://f": false} {
		if got := after.HasURL(url); got != want {
			t.Errorf("HasURL(%s) = %t, want %t", url, got, want)
		}
	}
	for id, want := range map[string]bool{"a": true, "b": true, "f": false} {
		if got := after.HasID(id); got != want {
			t.Errorf("HasID(%s) = %t, want %t", id, got, want)
		}
	}
	if again := after.Spend(before); len(again.Spent) != len(after.Spent) {
		t.Errorf("keys are spent twice: %v", again.Spent)
	}
}

func TestSpentIDs(t *testing.T) {
	t.Parallel()
	ring := Ring{Spent: []Spent{{"a", "kms://a"}}}.SpendIDs([]string{"a", "b"})
	if diff := cmp.Diff([]Spent{{"a", "kms://a"}, {ID: "b"}}, ring.Spent); diff != "" {
		t.Errorf("spent (-want +got):\n%s", diff)
	}
}

func TestRemoteSlot(t *testing.T) {
	t.Parallel()
	private, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	slot, err := NewRemoteSlot("kms://a", &private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	content, err := Ring{Generation: 1, Current: &slot}.Render()
	if err != nil || strings.Contains(string(content), "private") {
		t.Errorf("rendered ring = %s, error %v", content, err)
	}
	ring, err := Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	var signed string
	opened, err := Open(ring, func(url string, _ *rsa.PublicKey) token.SignFunc {
		return func(context.Context, []byte) ([]byte, error) {
			signed = url
			return nil, nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opened.Signing.Sign(t.Context(), token.Claims{}); err != nil || signed != "kms://a" || !opened.Signing.Remote {
		t.Errorf("signed with %q, error %v", signed, err)
	}
}

func TestRemoteSlotRefuses(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewRemoteSlot("kms://a", &short.PublicKey); err == nil {
		t.Error("a key of 1024 bits is accepted")
	}
	one, other := newRemoteSlot(t), newRemoteSlot(t)
	for name, slot := range map[string]Slot{
		"public half of another key": {ID: one.ID, URL: one.URL, Public: other.Public},
		"not a public half":          {ID: one.ID, URL: one.URL, Public: []byte("none")},
		"no public half":             {ID: one.ID, URL: one.URL},
	} {
		if _, err := Open(Ring{Next: &slot}, func(string, *rsa.PublicKey) token.SignFunc { return nil }); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// A revocation does not wait for a new key.
func TestRevocationWithoutNewKey(t *testing.T) {
	l := newTimeline(t).settled().want("a b")
	next, _, err := l.ring.Advance(Input{
		Published: func(id string) bool { return l.published[id] }, Policy: Policy{ahead, every, keep},
		Orders: Orders{Revoke: []string{CurrentKey}}, Now: l.now,
	}, func() (Slot, error) { return Slot{}, context.DeadlineExceeded })
	if err == nil || next.Current == nil || next.Current.ID != "b" || next.Next != nil || next.Revocations != 1 {
		t.Errorf("got ring %+v, error %v", next, err)
	}
}

func newRemoteSlot(t *testing.T) Slot {
	t.Helper()
	private, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	slot, err := NewRemoteSlot("kms://a", &private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return slot
}
