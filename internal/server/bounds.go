package server

import (
	"net/http"
	"time"
)

// Bounds is what clients may hold of a server before anything is known of them but their addresses.
type Bounds struct {
	// Connections is how many there may be at once. Where there are that many, a new one takes the place of one of the
	// source that has the most.
	Connections int

	// PerSource is how many of them one source address may hold.
	PerSource int

	// PerSecond is how many connections a source may make a second in the long run, and Burst at once. Each costs a
	// TLS handshake.
	PerSecond float64
	Burst     int

	// Unproven is how long a connection may stay for which no handler called Proven; 0 is for ever. A request that has
	// begun then is cut off.
	Unproven time.Duration
}

// DefaultBounds fit servers whose clients come from few addresses, as the API server's replicas do, and those that are
// behind a load balancer.
var DefaultBounds = Bounds{Connections: 1024, PerSource: 256, PerSecond: 100, Burst: 512}

// NodeBounds fit a server of a node's own pods, some 250, whose sidecars hold one or two connections each: more while
// they ask much at once, which issuerclient bounds below PerSource. Each proves itself by its first request.
var NodeBounds = Bounds{Connections: 1024, PerSource: 16, PerSecond: 5, Burst: 48, Unproven: 10 * time.Second}

// ClusterBounds fit a server of the issuers of up to some thousand nodes, each of which holds a few connections, and proves
// itself by its first request.
var ClusterBounds = Bounds{Connections: 4096, PerSource: 64, PerSecond: 20, Burst: 64, Unproven: 10 * time.Second}

// WithoutSources are the same bounds where the addresses of clients are hidden on their way: there is one source then.
func (b Bounds) WithoutSources() Bounds {
	b.PerSource, b.PerSecond, b.Burst = b.Connections, DefaultBounds.PerSecond, DefaultBounds.Burst
	return b
}

// Option is what a server has otherwise than others.
type Option func(*Server)

// WithBounds sets what clients may hold.
func WithBounds(bounds Bounds) Option { return func(s *Server) { s.bounds = bounds } }

// HTTP1Only serves no HTTP/2: for clients that do not speak it, and so that nobody else holds what it costs.
func HTTP1Only() Option {
	return func(s *Server) {
		s.server.Protocols = new(http.Protocols)
		s.server.Protocols.SetHTTP1(true)
	}
}

// socketBuffer bounds what the kernel holds of a connection each way, in bytes. It counts as the container's memory.
const socketBuffer = 64 << 10

// http2Bounds keep what a connection of HTTP/2 may hold small: what is not said here is up to a megabyte each.
func http2Bounds() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          100,
		MaxReadFrameSize:              16 << 10,
		MaxReceiveBufferPerConnection: 256 << 10,
		MaxReceiveBufferPerStream:     64 << 10,
		WriteByteTimeout:              10 * time.Second,
	}
}
