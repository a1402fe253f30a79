package server

import (
	"testing"
	"time"
)

// doorkeeper is a gate whose clock stands still.
type doorkeeper struct {
	*testing.T
	*gate
	clock time.Time
}

func newDoorkeeper(t *testing.T, bounds Bounds) *doorkeeper {
	t.Parallel()
	d := &doorkeeper{T: t, clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	d.gate = newGate(bounds, "test", func() time.Time { return d.clock })
	return d
}

// wantRefusal asks for a source to be let in.
func (d *doorkeeper) wantRefusal(source, want string) (entered, displaced *connection) {
	d.Helper()
	entered = &connection{source: source, gate: d.gate}
	displaced, refusal := d.count(entered)
	if refusal != want {
		d.Errorf("%s is refused for %q, not %q", source, refusal, want)
	}
	return entered, displaced
}

var someBounds = Bounds{Connections: 4, PerSource: 3, PerSecond: 1, Burst: 5}

func TestGateBoundsASource(t *testing.T) {
	d := newDoorkeeper(t, someBounds)
	first, _ := d.wantRefusal("a", "")
	d.wantRefusal("a", "")
	d.wantRefusal("a", "")
	d.wantRefusal("a", reasonSource)
	d.wantRefusal("b", "")
	d.leave(first)
	d.leave(first)
	d.wantRefusal("a", "")
	if d.open != 4 {
		t.Errorf("%d connections are counted", d.open)
	}
}

func TestGateBoundsHowFastASourceComes(t *testing.T) {
	d := newDoorkeeper(t, someBounds)
	for range someBounds.Burst {
		entered, _ := d.wantRefusal("a", "")
		d.leave(entered)
	}
	d.wantRefusal("a", reasonRate)
	d.wantRefusal("b", "")
	d.clock = d.clock.Add(time.Second)
	d.wantRefusal("a", "")
	d.wantRefusal("a", reasonRate)
}

// Whoever has many connections cannot keep others from their first.
func TestFullGateTakesFromTheLargestSource(t *testing.T) {
	d := newDoorkeeper(t, someBounds)
	proven, _ := d.wantRefusal("a", "")
	proven.proven.Store(true)
	d.wantRefusal("a", "")
	d.wantRefusal("a", "")
	d.wantRefusal("b", "")
	if _, displaced := d.wantRefusal("c", ""); displaced == nil || displaced.source != "a" || displaced == proven {
		t.Errorf("%+v is displaced, not one of a that is not proven", displaced)
	}
	d.wantRefusal("b", reasonTotal)
	d.wantRefusal("d", "")
	d.wantRefusal("e", reasonTotal)
	if d.open != 4 {
		t.Errorf("%d connections are counted", d.open)
	}
}

func TestGateForgetsCalmSources(t *testing.T) {
	d := newDoorkeeper(t, someBounds)
	left, _ := d.wantRefusal("a", "")
	d.leave(left)
	d.wantRefusal("b", "")
	d.clock = d.clock.Add(sweepEvery)
	d.wantRefusal("c", "")
	if _, known := d.sources["a"]; known || len(d.sources) != 2 {
		t.Errorf("%d sources are known", len(d.sources))
	}
}
