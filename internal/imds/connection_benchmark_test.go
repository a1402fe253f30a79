package imds

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// BenchmarkConnection is a cached token over a connection that is kept, as applications have it: what the HTTP server
// and the kernel cost is in it too.
func BenchmarkConnection(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := NewServer(NewHandler(newIMDS().sources(), time.Now), slog.New(slog.DiscardHandler))
	go server.Serve(listener)
	defer server.Close()
	connection, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer connection.Close()
	request := []byte("GET " + tokenTarget("&client_id=c") + " HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: true\r\n\r\n")
	reader := bufio.NewReader(connection)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := connection.Write(request); err != nil {
			b.Fatal(err)
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil || response.StatusCode != http.StatusOK {
			b.Fatal(response, err)
		}
		io.Copy(io.Discard, response.Body)
	}
}
