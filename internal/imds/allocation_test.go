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

// What a request may allocate, whatever is in it, and what its connection may beside: most of that is Go's HTTP server's,
// for many short headers.
const (
	mostAllocated             = 64 << 10
	mostAllocatedByConnection = 256 << 10
)

// allocated is how many bytes a call allocates. Nothing else may run at the same time, so its tests are not parallel.
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

// parameters returns a query of many of them, each of a name of its own.
func parameters(bytes int) string {
	var query strings.Builder
	for i := 0; query.Len() < bytes; i++ {
		fmt.Fprintf(&query, "&%x", i)
	}
	return query.String()
}

// None of these is longer than a request that the server reads.
func TestRequestsAllocateLittle(t *testing.T) {
	long := 8 << 10
	for name, target := range map[string]string{
		"a long path":              "/" + strings.Repeat("A", long),
		"a path of slashes":        strings.Repeat("/", long),
		"a path of many parts":     instancePath + strings.Repeat("/a", long/2) + instanceVersion,
		"a path of much below":     instancePath + "/compute" + strings.Repeat("//A", long/3) + instanceVersion,
		"a query of many names":    tokenTarget(parameters(maxQueryBytes - 100)),
		"as many names as may be":  tokenTarget(parameters(200)),
		"a query that is too long": tokenTarget(parameters(long)),
		"one name many times":      tokenTarget(strings.Repeat("&a", maxQueryBytes/2-50)),
		"a query of escapes":       tokenTarget("&x=" + strings.Repeat("%41", maxQueryBytes/3-50)),
		"a query without names":    tokenTarget(strings.Repeat("&", maxQueryBytes-100)),
		"a resource to be escaped": tokenPath + "?api-version=2018-02-01&resource=" + strings.Repeat("%22", maxQueryBytes/3-50),
		"a long version":           instancePath + "?api-version=" + strings.Repeat("2", maxQueryBytes-100),
		"all of it as text":        instancePath + instanceVersion + "&format=text",
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

// What is sent without end is read up to a bound.
func TestConnectionsAllocateLittle(t *testing.T) {
	const sent = 2 << 20
	server := NewServer(newIMDS().build(), slog.New(slog.DiscardHandler))
	listener := &pipeListener{make(chan net.Conn), make(chan struct{})}
	stopped := make(chan error)
	go func() { stopped <- server.Serve(listener) }()
	begin := "GET " + tokenTarget("") + " HTTP/1.1\r\nHost: a\r\nMetadata: true\r\n"
	for name, repeated := range map[string]struct{ begin, part string }{
		"a line without end":   {"GET /", "x"},
		"a header without end": {begin + "X: ", "x"},
		"headers without end":  {begin, "X: y\r\n"},
		"a body without end":   {begin + "Content-Length: 999999999\r\n\r\n", "x"},
		"chunks without end":   {begin + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
		"blank lines":          {"", "\r\n"},
		"nothing at all":       {"", "\x00"},
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
