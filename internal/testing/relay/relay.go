// Package relay stands between a client and a server, and counts what the server sends.
package relay

import (
	"io"
	"net"
	"sync/atomic"
)

// Count is a number of bytes.
type Count struct{ atomic.Int64 }

// Pass passes everything between a client and a server until one of them ends, counts what the server sends, and closes both.
func (c *Count) Pass(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, client)
	}()
	_, _ = io.Copy(client, io.TeeReader(server, c))
}

// Write counts bytes.
func (c *Count) Write(sent []byte) (int, error) {
	c.Add(int64(len(sent)))
	return len(sent), nil
}
