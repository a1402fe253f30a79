package issuer

import (
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
)

// tap forwards connections to the API server, and counts the bytes that it sends.
type tap struct {
	url      string
	received atomic.Int64
}

// newTap starts a tap until the test ends.
func (c *cluster) newTap(t *testing.T) *tap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err, "listen")
	t.Cleanup(func() { _ = listener.Close() })
	server, err := url.Parse(c.config.Host)
	must(t, err, "read the API server's URL")
	made := &tap{url: "https://" + listener.Addr().String()}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go made.pass(connection, server.Host)
		}
	}()
	return made
}

func (m *tap) pass(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, client)
	}()
	_, _ = io.Copy(client, io.TeeReader(server, m))
}

// Write counts bytes.
func (m *tap) Write(sent []byte) (int, error) {
	m.received.Add(int64(len(sent)))
	return len(sent), nil
}
