package imds

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// discardingWriter discards responses, so that only the handler is measured.
type discardingWriter struct{ header http.Header }

func (w *discardingWriter) Header() http.Header            { return w.header }
func (w *discardingWriter) Write(body []byte) (int, error) { return len(body), nil }
func (w *discardingWriter) WriteHeader(int)                {}

func benchmark(b *testing.B, handler http.Handler, target string) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		request := httptest.NewRequest(http.MethodGet, target, http.NoBody)
		request.Header.Set("Metadata", "true")
		writer := &discardingWriter{http.Header{}}
		for pb.Next() {
			handler.ServeHTTP(writer, request)
		}
	})
}

// BenchmarkCachedToken measures the path of nearly every request of an application. It allocates no more than a
// response a second.
func BenchmarkCachedToken(b *testing.B) {
	imds := newIMDS()
	benchmark(b, NewHandler(imds.sources(), time.Now), tokenTarget("&client_id=c"))
}

// BenchmarkProbe measures the request without the header by which SDKs detect IMDS.
func BenchmarkProbe(b *testing.B) {
	handler := newIMDS().build()
	b.ReportAllocs()
	request := httptest.NewRequest(http.MethodGet, tokenPath, http.NoBody)
	for b.Loop() {
		handler.ServeHTTP(&discardingWriter{http.Header{}}, request)
	}
}

func BenchmarkInstance(b *testing.B) {
	benchmark(b, newIMDS().build(), instancePath+instanceVersion)
}

// BenchmarkConnection measures a cached token over a kept connection, as applications use it: the cost of the HTTP server
// and the kernel is included.
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
