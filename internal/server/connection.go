package server

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// listener lets in what its gate does.
type listener struct {
	net.Listener
	gate *gate
}

// Accept waits for a connection that may stay. The others are reset at once, before a byte of them is read.
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

// sourceOf is an address without its port.
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

// connection is one that its gate counts.
type connection struct {
	net.Conn
	source string
	gate   *gate
	proven atomic.Bool

	// patience is guarded by mu: it ends a connection that is not proven in time.
	mu       sync.Mutex
	patience *time.Timer
}

// begin bounds what the connection may hold, and how long.
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

// end closes the connection for a reason, which is counted.
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

// Close closes the connection, and makes room for another.
func (c *connection) Close() error {
	c.stopPatience()
	c.gate.leave(c)
	return c.Conn.Close()
}

// CloseWrite is what the server looks for before it waits for the client to read the last answer.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// connectionKey is that of the connection in the context of its requests.
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

// Proven tells the server that it is known who sent the request with a context, so that its connection may stay.
func Proven(ctx context.Context) {
	if made, ok := ctx.Value(connectionKey{}).(*connection); ok && made.proven.CompareAndSwap(false, true) {
		made.stopPatience()
	}
}
