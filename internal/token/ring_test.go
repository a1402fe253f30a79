package token

import (
	"testing"
	"time"
)

// stage is a ring, its clock, and a cluster that publishes what it is told to.
type stage struct {
	*testing.T
	*clock
	ring      *Ring
	published map[string]bool
}

func newStage(t *testing.T) *stage {
	clock := &clock{noon}
	return &stage{t, clock, NewRing(clock.Now), map[string]bool{}}
}

// prepare wants a number of keys to be registered, and returns them.
func (s *stage) prepare(want int) []*Key {
	s.Helper()
	unpublished, err := s.ring.Prepare()
	if err != nil {
		s.Fatal(err)
	}
	if len(unpublished) != want {
		s.Fatalf("%d keys are to be registered, not %d", len(unpublished), want)
	}
	return unpublished
}

// publish publishes a key beside those that are published.
func (s *stage) publish(key *Key) {
	s.published[key.ID] = true
	s.look()
}

// takeAway takes a key away.
func (s *stage) takeAway(key *Key) {
	delete(s.published, key.ID)
	s.look()
}

func (s *stage) look() { s.ring.Published(s.published) }

// signs wants a key to sign a token that lasts for an hour; nil for none.
func (s *stage) signs(want *Key) {
	s.Helper()
	switch got := s.ring.Signer(s.now.Add(time.Hour)); {
	case got == want:
	case got == nil:
		s.Errorf("no key signs at %s, and one should", s.now.Sub(noon))
	default:
		s.Errorf("another key signs at %s, or one where none should", s.now.Sub(noon))
	}
}

// withSigner is a stage whose first key signs.
func withSigner(t *testing.T) (*stage, *Key) {
	t.Helper()
	s := newStage(t)
	first := s.prepare(1)[0]
	s.publish(first)
	return s, first
}

// withNext is a stage whose next key is to be published too, as soon as that can be.
func withNext(t *testing.T) (s *stage, first, next *Key) {
	t.Helper()
	s, first = withSigner(t)
	s.advance(signingTime - overlap + time.Second)
	return s, first, s.prepare(1)[0]
}

func TestFirstKeySignsOncePublished(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.signs(nil)
	first := s.prepare(1)[0]
	s.signs(nil)
	s.look()
	s.signs(nil)
	if again := s.prepare(1)[0]; again != first {
		t.Error("another key is made while the first is not published")
	}
	s.publish(first)
	s.signs(first)
	s.prepare(0)
}

func TestNextKeyIsPreparedAhead(t *testing.T) {
	t.Parallel()
	s, first := withSigner(t)
	s.advance(23 * time.Hour)
	s.prepare(0)
	s.advance(time.Second)
	next := s.prepare(1)[0]
	if next == first {
		t.Fatal("the next key is the one that signs")
	}
	if !next.NotBefore.Equal(s.now) || !next.NotAfter.Equal(s.now.Add(validity)) {
		t.Errorf("the next key is valid from %s to %s", next.NotBefore, next.NotAfter)
	}
	s.signs(first)
}

func TestNextKeySignsAfterSigningTime(t *testing.T) {
	t.Parallel()
	s, first, next := withNext(t)
	s.publish(next)
	s.advance(overlap - time.Second)
	s.look()
	s.signs(first)
	s.advance(time.Second)
	s.look()
	s.signs(next)
	s.prepare(0)
}

func TestNextKeySignsTenMinutesAfterPublication(t *testing.T) {
	t.Parallel()
	s, first, next := withNext(t)
	s.advance(overlap + 5*time.Hour)
	s.publish(next)
	s.signs(first)
	s.advance(10 * time.Minute)
	s.look()
	s.signs(first)
	s.advance(time.Second)
	s.look()
	s.signs(next)
}

func TestKeySignsOnWhileNextCannotBePublished(t *testing.T) {
	t.Parallel()
	s, first, next := withNext(t)
	s.advance(24 * time.Hour)
	s.look()
	s.signs(first)
	if again := s.prepare(1)[0]; again != next {
		t.Error("another key is made while the next is not published")
	}
}

func TestTokenNeverOutlivesItsKey(t *testing.T) {
	t.Parallel()
	s, first := withSigner(t)
	if s.ring.Signer(first.NotAfter) != first {
		t.Error("a token that expires with its key is not signed")
	}
	if s.ring.Signer(first.NotAfter.Add(time.Second)) != nil {
		t.Error("a token is signed that outlives its key")
	}
	s.advance(validity - time.Hour)
	s.signs(first)
	s.advance(time.Second)
	s.signs(nil)
}

func TestKeyTakenAwayStopsSigning(t *testing.T) {
	t.Parallel()
	t.Run("and another is made", func(t *testing.T) {
		t.Parallel()
		s, first := withSigner(t)
		s.takeAway(first)
		s.signs(nil)
		second := s.prepare(1)[0]
		if second == first {
			t.Fatal("the key that was taken away comes back")
		}
		s.publish(first)
		s.signs(nil)
		s.publish(second)
		s.signs(second)
	})
	t.Run("and the next signs at once", func(t *testing.T) {
		t.Parallel()
		s, first, next := withNext(t)
		s.publish(next)
		s.takeAway(first)
		s.signs(next)
	})
	t.Run("and the next signs once it is published", func(t *testing.T) {
		t.Parallel()
		s, first, next := withNext(t)
		s.takeAway(first)
		s.signs(nil)
		s.publish(next)
		s.signs(next)
	})
	t.Run("which is the next", func(t *testing.T) {
		t.Parallel()
		s, first, next := withNext(t)
		s.publish(next)
		s.takeAway(next)
		s.signs(first)
		if another := s.prepare(1)[0]; another == next {
			t.Error("the key that was taken away comes back")
		}
	})
}

// A key whose validity ended before it could be published never will be: the controller removes it.
func TestKeyThatExpiresUnpublishedIsReplaced(t *testing.T) {
	t.Parallel()
	t.Run("the first", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		first := s.prepare(1)[0]
		s.advance(validity)
		s.look()
		second := s.prepare(1)[0]
		if second == first {
			t.Fatal("the key that has expired is still to be registered")
		}
		s.publish(second)
		s.signs(second)
	})
	t.Run("the next", func(t *testing.T) {
		t.Parallel()
		s, first, next := withNext(t)
		s.advance(validity)
		s.takeAway(first)
		third := s.prepare(1)[0]
		if third == next {
			t.Fatal("the key that has expired is still to be registered")
		}
		s.publish(third)
		s.signs(third)
	})
}
