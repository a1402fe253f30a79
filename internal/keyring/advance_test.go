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

// timeline is a ring as time passes. Its keys are named a, b, c in the order in which they are made.
type timeline struct {
	*testing.T
	ring      Ring
	now       time.Time
	made      int
	published map[string]bool
	rotated   bool
}

func newTimeline(t *testing.T) *timeline {
	t.Helper()
	t.Parallel()
	return &timeline{T: t, now: noon, published: map[string]bool{}}
}

// advance advances the ring once.
func (l *timeline) advance(orders Orders) *timeline {
	l.Helper()
	next, rotated, err := l.ring.Advance(Input{
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

// publish publishes the ring's keys.
func (l *timeline) publish() *timeline {
	l.published = map[string]bool{}
	for _, slot := range l.ring.Published() {
		l.published[slot.ID] = true
	}
	return l
}

func (l *timeline) after(wait time.Duration) *timeline {
	l.now = l.now.Add(wait)
	return l
}

// settled returns a timeline whose first key signs and whose second one is published.
func (l *timeline) settled() *timeline {
	return l.advance(Orders{}).publish().advance(Orders{}).publish().advance(Orders{})
}

func (l *timeline) want(slots string) *timeline {
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
		l.Errorf("slots = %q, want %q", got, slots)
	}
	return l
}

func TestFirstKeySignsOncePublished(t *testing.T) {
	l := newTimeline(t)
	l.advance(Orders{}).want("- a")
	l.advance(Orders{}).want("- a")
	l.publish().advance(Orders{}).want("a b")
}

func TestNextKeySignsWhenDueAndPublished(t *testing.T) {
	newTimeline(t).settled().want("a b").
		after(every - time.Second).advance(Orders{}).want("a b").
		after(time.Second).advance(Orders{}).want("b c a")
}

func TestUnpublishedKeyDoesNotSign(t *testing.T) {
	l := newTimeline(t).advance(Orders{}).publish().advance(Orders{}).want("a b")
	l.after(2 * every).advance(Orders{}).want("a b")
	l.publish().advance(Orders{}).want("a b").
		after(ahead - time.Second).advance(Orders{}).want("a b").
		after(time.Second).advance(Orders{}).want("b c a")
}

func TestRetiredKeyStaysPublishedUntilItsTokensExpire(t *testing.T) {
	newTimeline(t).settled().after(every).advance(Orders{}).want("b c a").
		after(keep - time.Second).advance(Orders{}).want("b c a").
		after(time.Second).advance(Orders{}).want("b c")
}

func TestOrderedRotationWaitsUntilNextKeyIsPublished(t *testing.T) {
	l := newTimeline(t).settled()
	rotate := Orders{Rotate: true}
	if l.after(ahead - time.Second).advance(rotate).want("a b"); l.rotated {
		t.Error("the rotation is reported before it happened")
	}
	if l.after(time.Second).advance(rotate).want("b c a"); !l.rotated {
		t.Error("the rotation is not reported")
	}
}

// The first key replaces none, so an order to rotate is still to be carried out.
func TestFirstKeyIsNoRotation(t *testing.T) {
	l := newTimeline(t).advance(Orders{}).publish()
	if l.advance(Orders{Rotate: true}).want("a b"); l.rotated {
		t.Error("the first key is reported as a rotation")
	}
}

func TestRevokedKeyLeavesTheRingAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		revoke string
		want   string
	}{
		"current key":         {"b", "c d a"},
		"current key by rank": {CurrentKey, "c d a"},
		"next key":            {"c", "b d a"},
		"retired key":         {"a", "b c"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTimeline(t).settled().after(every).advance(Orders{}).publish().advance(Orders{}).want("b c a")
			before := l.ring
			l.advance(Orders{Revoke: []string{test.revoke}}).want(test.want)
			if l.ring.Revocations != before.Revocations+1 || l.ring.Generation != before.Generation+1 {
				t.Errorf("generation %d after %d, %d revocations after %d",
					l.ring.Generation, before.Generation, l.ring.Revocations, before.Revocations)
			}
		})
	}
}

func TestRevocationWithoutAPublishedSuccessor(t *testing.T) {
	l := newTimeline(t).advance(Orders{}).publish().advance(Orders{}).want("a b")
	l.advance(Orders{Revoke: []string{"a"}}).want("- b")
	l.publish().advance(Orders{}).want("b c")
}

func TestUnknownKeyIsNotRevoked(t *testing.T) {
	l := newTimeline(t).settled()
	before := l.ring
	if diff := cmp.Diff(before, l.advance(Orders{Revoke: []string{"x", ""}}).ring); diff != "" {
		t.Errorf("the ring changes (-before +after):\n%s", diff)
	}
}

func TestAdvanceWithoutReasonChangesNothing(t *testing.T) {
	l := newTimeline(t).settled()
	before := l.ring
	if diff := cmp.Diff(before, l.after(time.Hour).advance(Orders{}).ring); diff != "" {
		t.Errorf("the ring changes (-before +after):\n%s", diff)
	}
}

func TestAdvanceDoesNotChangeItsReceiver(t *testing.T) {
	l := newTimeline(t).settled().after(every).advance(Orders{}).publish().advance(Orders{}).after(every)
	before := fmt.Sprintf("%+v %+v %+v", l.ring, *l.ring.Current, *l.ring.Next)
	kept := l.ring
	l.advance(Orders{Revoke: []string{"a"}})
	if after := fmt.Sprintf("%+v %+v %+v", kept, *kept.Current, *kept.Next); after != before {
		t.Errorf("the receiver is %s, was %s", after, before)
	}
}

func TestAdvanceReturnsErrorOfNewSlot(t *testing.T) {
	t.Parallel()
	failure := errors.New("no entropy")
	_, _, err := Ring{}.Advance(Input{Now: noon}, func() (Slot, error) { return Slot{}, failure })
	if !errors.Is(err, failure) {
		t.Errorf("got error %v", err)
	}
}
