package server

import (
	"net"
	"testing"
	"time"
)

// clockedGate is a gate with a clock that the test sets.
type clockedGate struct {
	*testing.T
	*gate
	clock time.Time
}

func newClockedGate(t *testing.T, bounds Bounds) *clockedGate {
	t.Parallel()
	d := &clockedGate{T: t, clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	d.gate = newGate(bounds, "test", func() time.Time { return d.clock })
	return d
}

// wantRefusal opens a connection of a source, and checks the reason of the refusal, "" for none.
func (d *clockedGate) wantRefusal(source, want string) (entered, displaced *connection) {
	d.Helper()
	entered = &connection{source: source, gate: d.gate}
	displaced, refusal := d.count(entered)
	if refusal != want {
		d.Errorf("%s is refused for %q, want %q", source, refusal, want)
	}
	return entered, displaced
}

var someBounds = Bounds{Connections: 4, PerSource: 3, PerSecond: 1, Burst: 5}

func TestGateBoundsASource(t *testing.T) {
	d := newClockedGate(t, someBounds)
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

func TestGateBoundsTheRateOfASource(t *testing.T) {
	d := newClockedGate(t, someBounds)
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

// A source with many connections cannot keep others from their first.
func TestFullGateTakesFromTheLargestSource(t *testing.T) {
	d := newClockedGate(t, someBounds)
	proven, _ := d.wantRefusal("a", "")
	proven.proven.Store(true)
	d.wantRefusal("a", "")
	d.wantRefusal("a", "")
	d.wantRefusal("b", "")
	if _, displaced := d.wantRefusal("c", ""); displaced == nil || displaced.source != "a" || displaced == proven {
		t.Errorf("displaced %+v, want an unproven connection of a", displaced)
	}
	d.wantRefusal("b", reasonTotal)
	d.wantRefusal("d", "")
	d.wantRefusal("e", reasonTotal)
	if d.open != 4 {
		t.Errorf("%d connections are counted", d.open)
	}
}

func TestGateDropsIdleSources(t *testing.T) {
	d := newClockedGate(t, someBounds)
	left, _ := d.wantRefusal("a", "")
	d.leave(left)
	d.wantRefusal("b", "")
	d.clock = d.clock.Add(sweepEvery)
	d.wantRefusal("c", "")
	if _, known := d.sources["a"]; known || len(d.sources) != 2 {
		t.Errorf("%d sources are kept", len(d.sources))
	}
}

// A source that comes back after a sweep must not get a new burst.
func TestSweepKeepsSourcesThatWereFast(t *testing.T) {
	bounds := someBounds
	bounds.PerSecond = 0.001
	d := newClockedGate(t, bounds)
	for range bounds.Burst {
		entered, _ := d.wantRefusal("a", "")
		d.leave(entered)
	}
	d.clock = d.clock.Add(sweepEvery)
	d.wantRefusal("a", reasonRate)
}

func TestDisplacedConnectionIsClosed(t *testing.T) {
	g := newClockedGate(t, Bounds{Connections: 2, PerSource: 2, PerSecond: 1, Burst: 2})
	connect := func(source string) net.Conn {
		client, server := net.Pipe()
		t.Cleanup(func() { _ = client.Close() })
		if !g.enter(&connection{Conn: server, source: source, gate: g.gate}) {
			t.Fatalf("a connection of %s is refused", source)
		}
		return client
	}
	clients := []net.Conn{connect("a"), connect("a")}
	connect("b")
	closed := make(chan bool, len(clients))
	for _, client := range clients {
		_ = client.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		go func() {
			_, err := client.Read(make([]byte, 1))
			closed <- !isTimeout(err)
		}()
	}
	if one, other := <-closed, <-closed; one == other {
		t.Errorf("closed: %t and %t, want one of a's connections", one, other)
	}
}

func TestSourceOf(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]net.Addr{
		"IPv4":           &net.TCPAddr{IP: net.IP{10, 0, 0, 1}, Port: 1024},
		"IPv4 as IPv6":   &net.TCPAddr{IP: net.ParseIP("::ffff:10.0.0.1"), Port: 1025},
		"with its zone":  &net.TCPAddr{IP: net.ParseIP("::ffff:10.0.0.1"), Port: 1026, Zone: "eth0"},
		"without a port": &net.IPAddr{IP: net.IP{10, 0, 0, 1}},
	} {
		if got := sourceOf(address); got != "10.0.0.1" {
			t.Errorf("%s: source = %s, want 10.0.0.1", name, got)
		}
	}
}

// A network that hides addresses makes all clients one source, which must be able to have every connection.
func TestBoundsWithoutSources(t *testing.T) {
	t.Parallel()
	got := NodeBounds.WithoutSources()
	want := NodeBounds
	want.PerSource, want.PerSecond, want.Burst = NodeBounds.Connections, DefaultBounds.PerSecond, DefaultBounds.Burst
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
