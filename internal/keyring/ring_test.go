package keyring

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func TestParseReadsWhatRenderWrote(t *testing.T) {
	t.Parallel()
	current, next := newSlot(t), newSlot(t)
	current.Activated = noon
	ring := Ring{Generation: 7, Revocations: 1, Current: &current, Next: &next}
	content, err := ring.Render()
	if err != nil {
		t.Fatal(err)
	}
	read, err := Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ring, read); diff != "" {
		t.Errorf("ring (-want +got):\n%s", diff)
	}
}

func TestParseErrorHasNoKey(t *testing.T) {
	t.Parallel()
	ring, err := Parse([]byte(`{"current":"SECRET"}`))
	if err == nil || strings.Contains(err.Error(), "SECRET") || !ring.IsEmpty() {
		t.Errorf("got %+v, error %v", ring, err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	current, next, retired := newSlot(t), newSlot(t), newSlot(t)
	opened, err := Open(Ring{Current: &current, Next: &next, Retired: []Slot{retired}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if opened.Signing == nil || opened.Signing.ID != current.ID {
		t.Errorf("signing key = %+v, want %s", opened.Signing, current.ID)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(opened.JWKS, &set); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, key := range set.Keys {
		if !key.IsPublic() {
			t.Errorf("the private half of %s is published", key.KeyID)
		}
		ids = append(ids, key.KeyID)
	}
	if diff := cmp.Diff([]string{current.ID, next.ID, retired.ID}, ids); diff != "" {
		t.Errorf("published keys (-want +got):\n%s", diff)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	one, other := newSlot(t), newSlot(t)
	for name, slot := range map[string]Slot{
		"key with another ID": {ID: other.ID, Private: one.Private},
		"not a key":           {ID: one.ID, Private: []byte("none")},
	} {
		if _, err := Open(Ring{Next: &slot}, nil); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func newSlot(t *testing.T) Slot {
	t.Helper()
	slot, err := NewSlot()
	if err != nil {
		t.Fatal(err)
	}
	return slot
}
