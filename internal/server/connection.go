package server

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// listener accepts the connections that its gate admits.
type listener struct {
	net.Listener
	gate *gate
}

// Accept returns the next admitted connection. It resets the others before a byte of them is read.
func (l *listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		made := &connection{Conn: accepted, source: sourceOf(accepted.RemoteAddr()), gate: l.gate}
		if !l.gate.enter(made) {
			reset(accepted)
			continue
		}
		made.begin()
		return made, nil
	}
}

// sourceOf returns an address without its port.
func sourceOf(address net.Addr) string {
	if tcp, ok := address.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("").String()
	}
	return address.String()
}

// reset closes a connection so that the kernel keeps nothing of it.
func reset(accepted net.Conn) {
	if tcp, ok := accepted.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = accepted.Close()
}

// connection is a connection that its gate counts.
type connection struct {
	net.Conn
	source string
	gate   *gate
	proven atomic.Bool

	// patience ends a connection that is not proven in time. It is guarded by mu.
	mu       sync.Mutex
	patience *time.Timer
}

// begin applies the bounds of buffers and time.
func (c *connection) begin() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(socketBuffer)
		_ = tcp.SetWriteBuffer(socketBuffer)
	}
	if c.gate.bounds.Unproven > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.patience = time.AfterFunc(c.gate.bounds.Unproven, func() { c.end(reasonUnproven) })
	}
}

// end closes the connection and counts the reason.
func (c *connection) end(reason string) {
	refusedConnections.WithLabelValues(c.gate.server, reason).Inc()
	c.gate.leave(c)
	reset(c.Conn)
}

func (c *connection) stopPatience() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.patience != nil {
		c.patience.Stop()
	}
}

// Close closes the connection and makes room for another.
func (c *connection) Close() error {
	c.stopPatience()
	c.gate.leave(c)
	return c.Conn.Close()
}

// CloseWrite lets the server wait for the client to read the last answer.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// connectionKey is the context key of a request's connection.
type connectionKey struct{}

func withConnection(ctx context.Context, served net.Conn) context.Context {
	if secured, ok := served.(interface{ NetConn() net.Conn }); ok {
		served = secured.NetConn()
	}
	if counted, ok := served.(*connection); ok {
		return context.WithValue(ctx, connectionKey{}, counted)
	}
	return ctx
}

// Proven lets the connection of a request stay, because its client is authenticated.
func Proven(ctx context.Context) {
	if made, ok := ctx.Value(connectionKey{}).(*connection); ok && made.proven.CompareAndSwap(false, true) {
		made.stopPatience()
	}
}
