package imds

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// The bounds of what a request may allocate, and its connection beside: most of the latter is Go's HTTP server's,
// for many short headers.
const (
	mostAllocated             = 64 << 10
	mostAllocatedByConnection = 256 << 10
)

// allocated returns the bytes that a call allocates. Its tests are not parallel, because nothing else may run meanwhile.
func allocated(call func()) uint64 {
	const runs = 5
	var before, after runtime.MemStats
	call()
	runtime.ReadMemStats(&before)
	for range runs {
		call()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}

// parameters returns a query of many parameters with different names.
func parameters(bytes int) string {
	var query strings.Builder
	for i := 0; query.Len() < bytes; i++ {
		fmt.Fprintf(&query, "&%x", i)
	}
	return query.String()
}

// All of these fit into a request that the server reads.
func TestRequestsAllocateLittle(t *testing.T) {
	long := 8 << 10
	for name, target := range map[string]string{
		"long path":           "/" + strings.Repeat("A", long),
		"path of slashes":     strings.Repeat("/", long),
		"path of many parts":  instancePath + strings.Repeat("/a", long/2) + instanceVersion,
		"deep path":           instancePath + "/compute" + strings.Repeat("//A", long/3) + instanceVersion,
		"query of many names": tokenTarget(parameters(maxQueryBytes - 100)),
		"200 names":           tokenTarget(parameters(200)),
		"query too long":      tokenTarget(parameters(long)),
		"one name many times": tokenTarget(strings.Repeat("&a", maxQueryBytes/2-50)),
		"query of escapes":    tokenTarget("&x=" + strings.Repeat("%41", maxQueryBytes/3-50)),
		"query without names": tokenTarget(strings.Repeat("&", maxQueryBytes-100)),
		"resource of escapes": tokenPath + "?api-version=2018-02-01&resource=" + strings.Repeat("%22", maxQueryBytes/3-50),
		"long version":        instancePath + "?api-version=" + strings.Repeat("2", maxQueryBytes-100),
		"everything as text":  instancePath + instanceVersion + "&format=text",
	} {
		t.Run(name, func(t *testing.T) {
			request := &http.Request{Method: http.MethodGet, RequestURI: target, Header: http.Header{"Metadata": {"true"}}}
			got := allocated(func() { newIMDS().build().ServeHTTP(&discardingWriter{http.Header{}}, request) })
			if got > mostAllocated {
				t.Errorf("a request of %d bytes allocates %d", len(target), got)
			}
		})
	}
}

// Endless input is read up to a bound.
func TestConnectionsAllocateLittle(t *testing.T) {
	const sent = 2 << 20
	server := NewServer(newIMDS().build(), slog.New(slog.DiscardHandler))
	listener := &pipeListener{make(chan net.Conn), make(chan struct{})}
	stopped := make(chan error)
	go func() { stopped <- server.Serve(listener) }()
	begin := "GET " + tokenTarget("") + " HTTP/1.1\r\nHost: a\r\nMetadata: true\r\n"
	for name, repeated := range map[string]struct{ begin, part string }{
		"endless line":    {"GET /", "x"},
		"endless header":  {begin + "X: ", "x"},
		"endless headers": {begin, "X: y\r\n"},
		"endless body":    {begin + "Content-Length: 999999999\r\n\r\n", "x"},
		"endless chunks":  {begin + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
		"blank lines":     {"", "\r\n"},
		"zeros":           {"", "\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			whole := []byte(repeated.begin + strings.Repeat(repeated.part, sent/len(repeated.part)))
			got := allocated(func() {
				connection := newRecordedConn(whole)
				listener.connections <- connection
				connection.answers(t)
			})
			if got > mostAllocatedByConnection {
				t.Errorf("a connection that sends %d bytes allocates %d", len(whole), got)
			}
		})
	}
	server.Close()
	<-stopped
}
