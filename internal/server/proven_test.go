package server

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// impatient returns bounds under which a connection must prove itself soon.
func impatient() Bounds {
	bounds := DefaultBounds
	bounds.Unproven = 200 * time.Millisecond
	return bounds
}

func TestUnprovenConnectionEnds(t *testing.T) {
	t.Parallel()
	r := run(t, http.NotFoundHandler(), WithBounds(impatient()))
	loopback := netip.MustParseAddr("127.0.0.1")
	for name, open := range map[string]func() (net.Conn, error){
		"before the handshake": func() (net.Conn, error) { return net.Dial("tcp", r.address) },
		"after the handshake":  func() (net.Conn, error) { return openIdle(t.Context(), r.address, loopback) },
	} {
		connection, err := open()
		if err != nil {
			t.Fatal(err)
		}
		_ = connection.SetReadDeadline(time.Now().Add(4 * time.Second)) // less than a handshake may take
		if _, err := io.Copy(io.Discard, connection); isTimeout(err) {
			t.Errorf("a connection stays open %s", name)
		}
	}
	if got := testutil.ToFloat64(refusedConnections.WithLabelValues(r.address, reasonUnproven)); got < 2 {
		t.Errorf("%g connections are counted", got)
	}
}

func TestProvenConnectionStays(t *testing.T) {
	t.Parallel()
	r := run(t, http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) { Proven(request.Context()) }),
		WithBounds(impatient()))
	client := clientOf(0)
	defer client.CloseIdleConnections()
	var used string
	for start := time.Now(); time.Since(start) < 3*impatient().Unproven; {
		response, err := client.Get("https://" + r.address)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		used = response.Proto
	}
	if got := testutil.ToFloat64(refusedConnections.WithLabelValues(r.address, reasonUnproven)); got != 0 {
		t.Errorf("%g connections of %s are ended", got, used)
	}
}

func TestHTTP1Only(t *testing.T) {
	t.Parallel()
	for want, options := range map[string][]Option{"HTTP/2.0": nil, "HTTP/1.1": {HTTP1Only()}} {
		r := run(t, http.NotFoundHandler(), options...)
		client := clientOf(0)
		response, err := client.Get("https://" + r.address)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		client.CloseIdleConnections()
		if response.Proto != want {
			t.Errorf("protocol = %s, want %s", response.Proto, want)
		}
	}
}
