package issuer

import (
	"net"
	"net/url"
	"testing"

	"github.com/kube-imds/kube-imds/internal/testing/relay"
)

// tap forwards connections to the API server, and counts the bytes that it sends.
type tap struct {
	url      string
	received relay.Count
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
	server, err := net.Dial("tcp", address)
	if err != nil {
		_ = client.Close()
		return
	}
	m.received.Pass(client, server)
}
