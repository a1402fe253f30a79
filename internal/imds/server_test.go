package imds

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener accepts in-memory connections, so that a server runs in a synctest bubble.
type pipeListener struct {
	connections chan net.Conn
	closed      chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.connections:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) connect() net.Conn {
	ours, theirs := net.Pipe()
	l.connections <- theirs
	return ours
}

// serving runs a test with a server in a synctest bubble.
func serving(t *testing.T, test func(t *testing.T, connect func() net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		listener := &pipeListener{make(chan net.Conn), make(chan struct{})}
		server := NewServer(newIMDS().build(), slog.New(slog.DiscardHandler))
		stopped := make(chan error)
		go func() { stopped <- server.Serve(listener) }()
		test(t, listener.connect)
		server.Close()
		<-stopped
		// The server lingers for half a second of the bubble's time, in case the client is still reading.
		time.Sleep(time.Second)
	})
}

// exchange sends raw bytes and reads one response.
func exchange(t *testing.T, connection net.Conn, request string) answer {
	t.Helper()
	// The server may respond before it has read everything.
	go io.WriteString(connection, request)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

func rawGet(target string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: true\r\nConnection: close\r\n\r\n"
}

// Bodies that start events are read to their end, but not for long.
func TestBodiesThatStartEvents(t *testing.T) {
	t.Parallel()
	const body = `{"StartRequests":[{"EventId":"` + sampleID + `"}]}`
	for name, test := range map[string]struct {
		rest   string
		status int
	}{
		"with length": {fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body), http.StatusOK},
		"in chunks":   {fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body), http.StatusOK},
		"truncated":   {fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body)+1, body), http.StatusBadRequest},
		"endless":     {fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 1<<30, strings.Repeat(" ", maxStartBytes+1)), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serving(t, func(t *testing.T, connect func() net.Conn) {
				asked := time.Now()
				got := exchange(t, connect(), "POST "+eventsPath+"?api-version=2020-07-01 HTTP/1.1\r\nHost: a\r\nMetadata: true\r\n"+test.rest)
				if took := time.Since(asked); got.status != test.status || took > 10*time.Second {
					t.Errorf("after %s: got %d %s", took, got.status, got.body)
				}
			})
		})
	}
}

// Points 31 and 35: connections that send nothing, or slowly.
func TestPoints31And35SilentAndSlowConnections(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{
		"silent":              "",
		"stops in its line":   "GET /metadata",
		"stops in its header": "GET / HTTP/1.1\r\nHost: a\r\nMetadata: tr",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serving(t, func(t *testing.T, connect func() net.Conn) {
				connection, started := connect(), time.Now()
				io.WriteString(connection, begin)
				io.Copy(io.Discard, connection)
				if held := time.Since(started); held > 5*time.Second {
					t.Errorf("connection was held for %s", held)
				}
				connect().Close()
				if got := exchange(t, connect(), rawGet(tokenTarget(""))); got.status != http.StatusOK {
					t.Errorf("next connection: got %d %s", got.status, got.body)
				}
			})
		})
	}
}

func TestConnectionThatReadsNothingIsClosed(t *testing.T) {
	t.Parallel()
	serving(t, func(t *testing.T, connect func() net.Conn) {
		connection := connect()
		io.WriteString(connection, rawGet(tokenTarget("")))
		time.Sleep(20 * time.Second)
		if read, err := io.ReadAll(connection); len(read) > 0 || err != nil {
			t.Errorf("after 20 seconds: read %q, error %v", read, err)
		}
	})
}

func TestIdleConnectionsAreKeptForAMinute(t *testing.T) {
	t.Parallel()
	serving(t, func(t *testing.T, connect func() net.Conn) {
		connection := connect()
		reader := bufio.NewReader(connection)
		for i := range 3 {
			go fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: a\r\nMetadata: true\r\n\r\n", tokenTarget(""))
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatalf("response %d: %v", i, err)
			}
			io.Copy(io.Discard, response.Body)
			if response.StatusCode != http.StatusOK || response.ContentLength <= 0 {
				t.Errorf("response %d: %d, length %d", i, response.StatusCode, response.ContentLength)
			}
			time.Sleep(time.Minute)
		}
		silent := time.Now()
		io.Copy(io.Discard, reader)
		if held := time.Since(silent); held > time.Minute {
			t.Errorf("an idle connection is held for %s", time.Minute+held)
		}
	})
}

func TestMissingBodyIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{"of a length": "Content-Length: 100", "in chunks": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serving(t, func(t *testing.T, connect func() net.Conn) {
				connection, asked := connect(), time.Now()
				defer connection.Close()
				request := strings.Replace(rawGet(tokenTarget("")), "Connection: close", header, 1)
				if got := exchange(t, connection, request); got.status != http.StatusOK {
					t.Errorf("got %d %s", got.status, got.body)
				}
				if waited := time.Since(asked); waited > time.Second {
					t.Errorf("responded after %s", waited)
				}
			})
		})
	}
}

const malformedBody = `{ "error": "Bad request. The request is malformed, or longer than a request may be" }`

// answers sends bytes and returns all responses until the connection is closed.
func answers(t *testing.T, connection net.Conn, sent string) []answer {
	t.Helper()
	go func() {
		_, _ = io.WriteString(connection, sent)
	}()
	return readAnswers(t, connection)
}

// readAnswers reads responses until the end. It fails on an incomplete one.
func readAnswers(t testing.TB, connection io.Reader) []answer {
	t.Helper()
	var all []answer
	reader := bufio.NewReader(connection)
	for {
		if _, err := reader.Peek(1); err != nil {
			return all
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatalf("not a response: %v", err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatalf("incomplete response: %v", err)
		}
		if response.Close {
			// The reader removes it.
			response.Header.Set("Connection", "close")
		}
		all = append(all, answer{response.StatusCode, response.Header, string(body)})
		if response.Close {
			if rest, err := io.ReadAll(reader); len(rest) > 0 && err == nil {
				t.Fatalf("after the last response: %q", rest)
			}
			return all
		}
	}
}

func (a answer) wantMalformed(t *testing.T) {
	t.Helper()
	a.want(t, http.StatusBadRequest, malformedBody)
	for name, want := range map[string]string{
		"Server": serverName[0], "Content-Type": contentJSON[0], "Content-Length": fmt.Sprint(len(malformedBody)), "Connection": "close",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if _, err := http.ParseTime(a.header.Get("Date")); err != nil || len(a.header.Get("X-Ms-Request-Id")) != 36 {
		t.Errorf("headers = %v", a.header)
	}
}

func TestPipelinedRequests(t *testing.T) {
	t.Parallel()
	token := "GET " + tokenTarget("") + " HTTP/1.1\r\nHost: a\r\nMetadata: true\r\n\r\n"
	missing := "GET /metadata/nothing HTTP/1.1\r\nHost: a\r\nMetadata: true\r\n\r\n"
	serving(t, func(t *testing.T, connect func() net.Conn) {
		for name, test := range map[string]struct {
			sent string
			want []int
		}{
			"good, bad":         {token + "hello\r\n\r\n", []int{200, -400}},
			"many good, bad":    {token + missing + token + token + "\x00", []int{200, 404, 200, 200, -400}},
			"bad, good":         {token + "hello\r\n\r\n" + token, []int{200, -400}},
			"expectation, good": {"GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n" + token, []int{-400}},
			"body, bad":         {strings.Replace(token, "\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nxx", 1) + "?\r\n\r\n", []int{200, -400}},
			"continue, bad": {strings.Replace(token, "\r\n\r\n", "\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", 1) +
				"?\r\n\r\n", []int{200, -400}},
			"close, bad":    {strings.Replace(token, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1) + "hello\r\n\r\n", []int{200}},
			"HTTP/1.0, bad": {"GET / HTTP/1.0\r\n\r\nhello\r\n\r\n", []int{404}},
		} {
			// Without the last empty line a server would wait for more.
			got := answers(t, connect(), test.sent+"\r\n\r\n")
			if len(got) != len(test.want) {
				t.Errorf("%s: got %d responses", name, len(got))
				continue
			}
			for i, want := range test.want {
				if want < 0 {
					got[i].wantMalformed(t)
				} else if got[i].status != want || got[i].body == malformedBody {
					t.Errorf("%s: response %d = %d %s", name, i, got[i].status, got[i].body)
				}
			}
		}
	})
}

// A response that the server writes in several parts stays what the handler wrote.
func TestLongResponsesArriveWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("HTTP/1.1 400 Bad Request\r\n\r\n", 4<<10)
		server := NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for part := range strings.SplitAfterSeq(long, "\n") {
				io.WriteString(w, part)
			}
		}), slog.New(slog.DiscardHandler))
		listener := &pipeListener{make(chan net.Conn), make(chan struct{})}
		stopped := make(chan error)
		go func() { stopped <- server.Serve(listener) }()
		got := answers(t, listener.connect(), "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n?\r\n\r\n")
		if len(got) != 3 || got[0].body != long || got[1].body != long {
			t.Errorf("got %d responses, or incomplete ones", len(got))
		} else {
			got[2].wantMalformed(t)
		}
		server.Close()
		<-stopped
	})
}

// brokenConn is a connection that fails to write.
type brokenConn struct{ net.Conn }

func (brokenConn) Write([]byte) (int, error) { return 0, net.ErrClosed }

func TestFailedWrite(t *testing.T) {
	t.Parallel()
	c := &connection{Conn: brokenConn{}}
	if written, err := c.Write([]byte("HTTP/1.1 400 Bad Request")); written != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("wrote %d bytes, error %v", written, err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Error(err)
	}
}

// The server may write its own response in parts.
func TestServersOwnResponseIsReplacedOnce(t *testing.T) {
	t.Parallel()
	recorded := newRecordedConn(nil)
	c := &connection{Conn: recorded}
	for range 2 {
		if written, err := c.Write([]byte("12345")); written != 5 || err != nil {
			t.Errorf("wrote %d bytes, error %v", written, err)
		}
	}
	if err := c.CloseWrite(); err != nil {
		t.Error(err)
	}
	// The half close of the inner connection marks the end.
	got := recorded.answers(t)
	if len(got) != 1 {
		t.Fatalf("got %d responses", len(got))
	}
	got[0].wantMalformed(t)
}

// The server half-closes a connection on which a client still sends, so that the client can read the response.
func TestResponsesArriveOverTCP(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(newIMDS().build(), slog.New(slog.DiscardHandler))
	stopped := make(chan error)
	go func() { stopped <- server.Serve(listener) }()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetDeadline(time.Now().Add(10 * time.Second))
	got := answers(t, client, "GET / HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 1<<20))
	if len(got) != 1 {
		t.Fatalf("got %d responses", len(got))
	}
	got[0].wantMalformed(t)
	server.Close()
	if err := <-stopped; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
