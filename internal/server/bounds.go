package server

import (
	"net/http"
	"time"
)

// Bounds limit what clients may hold before anything but their address is known.
type Bounds struct {
	// Connections bounds all connections. Beyond it, a new one replaces one of the source that has the most.
	Connections int

	// PerSource bounds the connections of one source address.
	PerSource int

	// PerSecond is the sustained rate of new connections of a source, and Burst how many it may make at once. Each costs a
	// TLS handshake.
	PerSecond float64
	Burst     int

	// Unproven is how long a connection may stay without a call of Proven; 0 means forever. A request in progress is cut
	// off.
	Unproven time.Duration
}

// DefaultBounds suit servers with few client addresses, such as the API server's replicas, and those behind a load
// balancer.
var DefaultBounds = Bounds{Connections: 1024, PerSource: 256, PerSecond: 100, Burst: 512}

// NodeBounds suit a server of a node's own pods, some 250. Their sidecars hold one or two connections each, and more while
// they ask a lot at once, which issuerclient keeps below PerSource. The first request proves a connection.
var NodeBounds = Bounds{Connections: 1024, PerSource: 16, PerSecond: 5, Burst: 48, Unproven: 10 * time.Second}

// ClusterBounds suit a server of the issuers of some thousand nodes. Each holds a few connections and proves them by its
// first request.
var ClusterBounds = Bounds{Connections: 8192, PerSource: 64, PerSecond: 20, Burst: 64, Unproven: 10 * time.Second}

// WithoutSources returns the bounds for a network that hides the clients' addresses, so that all share one.
func (b Bounds) WithoutSources() Bounds {
	b.PerSource, b.PerSecond, b.Burst = b.Connections, DefaultBounds.PerSecond, DefaultBounds.Burst
	return b
}

// Option configures a Server.
type Option func(*Server)

// WithBounds sets the bounds.
func WithBounds(bounds Bounds) Option { return func(s *Server) { s.bounds = bounds } }

// HTTP1Only disables HTTP/2, for servers whose clients do not speak it, so that no other client can hold what it costs.
func HTTP1Only() Option {
	return func(s *Server) {
		s.server.Protocols = new(http.Protocols)
		s.server.Protocols.SetHTTP1(true)
	}
}

// socketBuffer bounds the kernel's buffers of a connection each way, in bytes. They count as the container's memory.
const socketBuffer = 64 << 10

// http2Bounds keep an HTTP/2 connection small. The defaults allow up to a megabyte each.
func http2Bounds() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          100,
		MaxReadFrameSize:              16 << 10,
		MaxReceiveBufferPerConnection: 256 << 10,
		MaxReceiveBufferPerStream:     64 << 10,
		WriteByteTimeout:              10 * time.Second,
	}
}
