package server

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Reasons for which connections are refused or ended.
const (
	reasonSource   = "source"
	reasonRate     = "rate"
	reasonTotal    = "total"
	reasonUnproven = "unproven"
)

// sweepEvery is how often idle sources are dropped.
const sweepEvery = time.Minute

// gate counts connections in total and by source. Handshakes have no bound of their own in total: slow clients would fill
// it and lock the others out.
type gate struct {
	bounds Bounds
	server string
	now    func() time.Time

	mu      sync.Mutex
	open    int
	sources map[string]*source
	swept   time.Time
}

// source is a client address.
type source struct {
	connections map[*connection]bool
	bucket      *rate.Limiter
}

func newGate(bounds Bounds, server string, now func() time.Time) *gate {
	return &gate{bounds: bounds, server: server, now: now, sources: map[string]*source{}, swept: now()}
}

// enter counts a connection and reports whether it may stay. It may end another one for it.
func (g *gate) enter(entering *connection) bool {
	displaced, refusal := g.count(entering)
	if refusal != "" {
		refusedConnections.WithLabelValues(g.server, refusal).Inc()
		return false
	}
	if displaced != nil {
		displaced.end(reasonTotal)
	}
	return true
}

func (g *gate) count(entering *connection) (displaced *connection, refusal string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.sweep(now)
	from := g.source(entering.source)
	switch {
	case len(from.connections) >= g.bounds.PerSource:
		return nil, reasonSource
	case !from.bucket.AllowN(now, 1):
		return nil, reasonRate
	}
	if g.open >= g.bounds.Connections {
		if displaced = g.fromLargest(len(from.connections) + 1); displaced == nil {
			return nil, reasonTotal
		}
		g.remove(displaced)
	}
	from.connections[entering] = true
	g.open++
	return displaced, ""
}

// leave stops counting a connection. It may be called again.
func (g *gate) leave(leaving *connection) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(leaving)
}

func (g *gate) remove(leaving *connection) {
	if from := g.sources[leaving.source]; from != nil && from.connections[leaving] {
		delete(from.connections, leaving)
		g.open--
	}
}

// fromLargest returns a connection of the source that has the most, preferably an unproven one; nil if no source has more
// than a number.
func (g *gate) fromLargest(than int) *connection {
	var largest *source
	for _, one := range g.sources {
		if len(one.connections) > than && (largest == nil || len(one.connections) > len(largest.connections)) {
			largest = one
		}
	}
	if largest == nil {
		return nil
	}
	var found *connection
	for one := range largest.connections {
		if found = one; !one.proven.Load() {
			break
		}
	}
	return found
}

func (g *gate) source(address string) *source {
	from, found := g.sources[address]
	if !found {
		from = &source{map[*connection]bool{}, rate.NewLimiter(rate.Limit(g.bounds.PerSecond), g.bounds.Burst)}
		g.sources[address] = from
	}
	return from
}

// sweep removes sources without connections that have made few lately.
func (g *gate) sweep(now time.Time) {
	if now.Sub(g.swept) < sweepEvery {
		return
	}
	g.swept = now
	maps.DeleteFunc(g.sources, func(_ string, one *source) bool {
		return len(one.connections) == 0 && one.bucket.TokensAt(now) >= float64(one.bucket.Burst())
	})
}
