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

func TestKeysOfAKMSThatAreLostAreSpent(t *testing.T) {
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
		if after.HasURL(url) != want {
			t.Errorf("that %s has been used is not %t", url, want)
		}
	}
	for id, want := range map[string]bool{"a": true, "b": true, "f": false} {
		if after.HasID(id) != want {
			t.Errorf("that %s has been used is not %t", id, want)
		}
	}
	if again := after.Spend(before); len(again.Spent) != len(after.Spent) {
		t.Errorf("spent twice: %v", again.Spent)
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
		t.Errorf("the ring is %s, %v", content, err)
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
		t.Errorf("%q has signed, %v", signed, err)
	}
}

func TestRemoteSlotRefuses(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewRemoteSlot("kms://a", &short.PublicKey); err == nil {
		t.Error("a short key is taken")
	}
	one, other := newRemoteSlot(t), newRemoteSlot(t)
	for name, slot := range map[string]Slot{
		"a public half of another ID": {ID: one.ID, URL: one.URL, Public: other.Public},
		"a public half that is none":  {ID: one.ID, URL: one.URL, Public: []byte("none")},
		"none at all":                 {ID: one.ID, URL: one.URL},
	} {
		if _, err := Open(Ring{Next: &slot}, func(string, *rsa.PublicKey) token.SignFunc { return nil }); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// What was ordered does not wait for a key that cannot be had.
func TestRevocationWithoutANewKey(t *testing.T) {
	l := newLife(t).settled().want("a b")
	next, _, err := l.ring.Advance(Look{
		Published: func(id string) bool { return l.published[id] }, Policy: Policy{ahead, every, keep},
		Orders: Orders{Revoke: []string{CurrentKey}}, Now: l.now,
	}, func() (Slot, error) { return Slot{}, context.DeadlineExceeded })
	if err == nil || next.Current == nil || next.Current.ID != "b" || next.Next != nil || next.Revocations != 1 {
		t.Errorf("the ring is %+v, %v", next, err)
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
