package keyring

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	ahead = 24 * time.Hour
	every = 30 * 24 * time.Hour
	keep  = 25 * time.Hour
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// life is a ring as time passes. Its keys are called a, b, c in the order in which they are made.
type life struct {
	*testing.T
	ring      Ring
	now       time.Time
	made      int
	published map[string]bool
	rotated   bool
}

func newLife(t *testing.T) *life {
	t.Helper()
	t.Parallel()
	return &life{T: t, now: noon, published: map[string]bool{}}
}

// look lets the ring be looked at, with what was published before.
func (l *life) look(orders Orders) *life {
	l.Helper()
	next, rotated, err := l.ring.Advance(Look{
		Published: func(id string) bool { return l.published[id] }, Policy: Policy{ahead, every, keep}, Orders: orders, Now: l.now,
	}, func() (Slot, error) {
		l.made++
		return Slot{ID: string(rune('a' + l.made - 1))}, nil
	})
	if err != nil {
		l.Fatal(err)
	}
	l.ring, l.rotated = next, rotated
	return l
}

// publish publishes what the ring has to publish.
func (l *life) publish() *life {
	l.published = map[string]bool{}
	for _, slot := range l.ring.Published() {
		l.published[slot.ID] = true
	}
	return l
}

func (l *life) after(wait time.Duration) *life {
	l.now = l.now.Add(wait)
	return l
}

// settled has a ring whose first key signs, and whose second one is published.
func (l *life) settled() *life {
	return l.look(Orders{}).publish().look(Orders{}).publish().look(Orders{})
}

func (l *life) want(slots string) *life {
	l.Helper()
	name := func(slot *Slot) string {
		if slot == nil {
			return "-"
		}
		return slot.ID
	}
	got := name(l.ring.Current) + " " + name(l.ring.Next)
	for _, slot := range l.ring.Retired {
		got += " " + slot.ID
	}
	if got != slots {
		l.Errorf("the slots are %q, not %q", got, slots)
	}
	return l
}

func TestFirstKeySignsOnceItIsPublished(t *testing.T) {
	l := newLife(t)
	l.look(Orders{}).want("- a")
	l.look(Orders{}).want("- a")
	l.publish().look(Orders{}).want("a b")
}

func TestNextKeySignsWhenItIsDueAndKnown(t *testing.T) {
	newLife(t).settled().want("a b").
		after(every - time.Second).look(Orders{}).want("a b").
		after(time.Second).look(Orders{}).want("b c a")
}

func TestKeyThatCannotBePublishedDoesNotSign(t *testing.T) {
	l := newLife(t).look(Orders{}).publish().look(Orders{}).want("a b")
	l.after(2 * every).look(Orders{}).want("a b")
	l.publish().look(Orders{}).want("a b").
		after(ahead - time.Second).look(Orders{}).want("a b").
		after(time.Second).look(Orders{}).want("b c a")
}

func TestRetiredKeyStaysUntilItsTokensHaveExpired(t *testing.T) {
	newLife(t).settled().after(every).look(Orders{}).want("b c a").
		after(keep - time.Second).look(Orders{}).want("b c a").
		after(time.Second).look(Orders{}).want("b c")
}

func TestRotationIsCarriedOutOnceTheNextKeyIsKnown(t *testing.T) {
	l := newLife(t).settled()
	rotate := Orders{Rotate: true}
	if l.after(ahead - time.Second).look(rotate).want("a b"); l.rotated {
		t.Error("the rotation is said to have been carried out")
	}
	if l.after(time.Second).look(rotate).want("b c a"); !l.rotated {
		t.Error("the rotation is not said to have been carried out")
	}
}

func TestRevokedKeyIsGoneAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		revoke string
		want   string
	}{
		"the current one":         {"b", "c d a"},
		"the current one by rank": {CurrentKey, "c d a"},
		"the next one":            {"c", "b d a"},
		"a retired one":           {"a", "b c"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t).settled().after(every).look(Orders{}).publish().look(Orders{}).want("b c a")
			before := l.ring
			l.look(Orders{Revoke: []string{test.revoke}}).want(test.want)
			if l.ring.Revocations != before.Revocations+1 || l.ring.Generation != before.Generation+1 {
				t.Errorf("the ring is of generation %d after %d, with %d revocations after %d",
					l.ring.Generation, before.Generation, l.ring.Revocations, before.Revocations)
			}
		})
	}
}

func TestRevocationWithoutAPublishedSuccessor(t *testing.T) {
	l := newLife(t).look(Orders{}).publish().look(Orders{}).want("a b")
	l.look(Orders{Revoke: []string{"a"}}).want("- b")
	l.publish().look(Orders{}).want("b c")
}

func TestUnknownKeyIsNotRevoked(t *testing.T) {
	l := newLife(t).settled()
	before := l.ring
	if diff := cmp.Diff(before, l.look(Orders{Revoke: []string{"x", ""}}).ring); diff != "" {
		t.Errorf("the ring changes (-before +after):\n%s", diff)
	}
}

func TestNothingToDoChangesNothing(t *testing.T) {
	l := newLife(t).settled()
	before := l.ring
	if diff := cmp.Diff(before, l.after(time.Hour).look(Orders{}).ring); diff != "" {
		t.Errorf("the ring changes (-before +after):\n%s", diff)
	}
}

func TestAdvanceLeavesTheRingBeforeAlone(t *testing.T) {
	l := newLife(t).settled().after(every).look(Orders{}).publish().look(Orders{}).after(every)
	before := fmt.Sprintf("%+v %+v %+v", l.ring, *l.ring.Current, *l.ring.Next)
	kept := l.ring
	l.look(Orders{Revoke: []string{"a"}})
	if after := fmt.Sprintf("%+v %+v %+v", kept, *kept.Current, *kept.Next); after != before {
		t.Errorf("the ring before is %s, not %s", after, before)
	}
}

func TestAdvanceWithoutANewKey(t *testing.T) {
	t.Parallel()
	failure := errors.New("no entropy")
	_, _, err := Ring{}.Advance(Look{Now: noon}, func() (Slot, error) { return Slot{}, failure })
	if !errors.Is(err, failure) {
		t.Errorf("the error is %v", err)
	}
}
