package imds

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzTokenRequest checks that parsed requests can be sent again, and that others get 400.
func FuzzTokenRequest(f *testing.F) {
	f.Add("api-version=2018-02-01&resource=https://vault.azure.net")
	f.Add("api-version=2018-02-01&resource=r&client_id=c&object_id=o")
	f.Add("api-version=2018-02-01&resource=%00")
	f.Add("resource=a;b&%zz")
	f.Fuzz(func(t *testing.T, query string) {
		request, refusal := parseTokenRequest(query)
		if refusal != nil {
			if refusal.Status != http.StatusBadRequest {
				t.Errorf("%q: refused with %d", query, refusal.Status)
			}
			return
		}
		if request.Resource == "" || !utf8.ValidString(request.Resource) {
			t.Errorf("%q: resource = %q", query, request.Resource)
		}
	})
}

// FuzzHandler checks that no request makes the handler panic or fail, and that only the token's path serves a token.
func FuzzHandler(f *testing.F) {
	f.Add("GET", tokenTarget(""), "true")
	f.Add("GET", instancePath+instanceVersion, "true")
	f.Add("GET", instancePath+"/compute/tagsList/0/name?api-version=2021-02-01&format=text", "True")
	f.Add("GET", `/metadata/identity\oauth2\token/?api-version=2018-02-01&resource=r`, "true")
	f.Add("POST", "/metadata/identity/issuecredential", "")
	f.Add("POST", eventsPath+"?api-version=2020-07-01", "true")
	f.Add("GET", infoPath+"?api-version=2018-02-01&Client_Id=c", "true")
	f.Add("GET", attestedPath+"?api-version=2018-10-01&nonce=1234567890", "true")
	f.Add("GET", loadBalancerPath+"?api-version=2020-10-01", "true")
	f.Add("HEAD", "*", "")
	sources := newIMDS().sources()
	sources.LoadBalancers = balancersFunc(func() (*LoadBalancer, error) { return &LoadBalancer{}, nil })
	sources.Attestations = attestationsFunc(func(AttestationRequest) ([]byte, error) { return []byte("signed"), nil })
	handler := NewHandler(sources, time.Now)
	f.Fuzz(func(t *testing.T, method, target, metadata string) {
		request := &http.Request{Method: method, RequestURI: target, Header: http.Header{"Metadata": {metadata}}, Body: http.NoBody}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request.WithContext(t.Context()))
		if recorder.Code >= 500 {
			t.Errorf("%q %q: %d", method, target, recorder.Code)
		}
		if length := recorder.Body.Len(); length > mostAnswered {
			t.Errorf("%q %q: got %d bytes", method, target, length)
		}
		path, _, _ := strings.Cut(target, "?")
		asksForToken := strings.EqualFold(strings.ReplaceAll(path, "/", ""), "metadataidentityoauth2token")
		if contains(recorder.Body.String(), "access_token") && !asksForToken {
			t.Errorf("%q %q: got a token", method, target)
		}
	})
}

// FuzzStartRequests checks that parsed requests name events, and that others get 400.
func FuzzStartRequests(f *testing.F) {
	f.Add(`{"StartRequests":[{"EventId":"C7061BAC-AFDC-4513-B24B-AA5F13A16123"}]}`)
	f.Add(`{"startrequests":[null]}`)
	f.Add(`{"StartRequests":{}}`)
	f.Fuzz(func(t *testing.T, body string) {
		ids, refusal := parseStartRequests(strings.NewReader(body))
		if refusal != nil && refusal.Status != http.StatusBadRequest {
			t.Errorf("%q: refused with %d", body, refusal.Status)
		}
		if refusal == nil && (len(ids) == 0 || slices.Contains(ids, "")) {
			t.Errorf("%q: started %q", body, ids)
		}
	})
}

// recordedConn is a connection whose client has sent everything, and reads when the server is done.
type recordedConn struct {
	sent *bytes.Reader

	mu      sync.Mutex
	written bytes.Buffer

	done   chan struct{}
	finish func()
}

func newRecordedConn(sent []byte) *recordedConn {
	done := make(chan struct{})
	return &recordedConn{sent: bytes.NewReader(sent), done: done, finish: sync.OnceFunc(func() { close(done) })}
}

func (c *recordedConn) Read(into []byte) (int, error) { return c.sent.Read(into) }

func (c *recordedConn) Write(answer []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written.Write(answer)
}

// CloseWrite ends the writing; the server then lingers for half a second.
func (c *recordedConn) CloseWrite() error { c.finish(); return nil }
func (c *recordedConn) Close() error      { c.finish(); return nil }

func (c *recordedConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *recordedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *recordedConn) SetDeadline(time.Time) error      { return nil }
func (c *recordedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *recordedConn) SetWriteDeadline(time.Time) error { return nil }

// answers waits until the server is done, and returns its responses.
func (c *recordedConn) answers(t *testing.T) []answer {
	t.Helper()
	select {
	case <-c.done:
	case <-time.After(10 * time.Second):
		t.Fatal("the server is not done")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	reader := bufio.NewReader(bytes.NewReader(c.written.Bytes()))
	var all []answer
	for {
		next, err := readAnswer(reader)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in %q", err, c.written.Bytes())
		}
		all = append(all, next)
	}
}

// readAnswer reads a response, which may be one to HEAD, and so without the body of its Content-Length.
func readAnswer(reader *bufio.Reader) (answer, error) {
	if _, err := reader.Peek(1); err != nil {
		return answer{}, err
	}
	text := textproto.NewReader(reader)
	line, err := text.ReadLine()
	if err != nil {
		return answer{}, errors.New("a line without end")
	}
	version, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || version != "HTTP/1.1" && version != "HTTP/1.0" {
		return answer{}, errors.New("no status line: " + line)
	}
	header, err := text.ReadMIMEHeader()
	if err != nil {
		return answer{}, errors.New("no header: " + err.Error())
	}
	length, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil {
		return answer{}, errors.New("no length")
	}
	if next, err := reader.Peek(len("HTTP/1.")); err != nil && len(next) == 0 || string(next) == "HTTP/1." {
		return answer{status, http.Header(header), ""}, nil
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(reader, body); err != nil {
		return answer{}, errors.New("the body is not whole")
	}
	return answer{status, http.Header(header), string(body)}, nil
}

// mostAnswered bounds the body of any response: it repeats a request's text at most once, which is bounded too.
const mostAnswered = 16 << 10

// FuzzConnection checks that every response to any bytes is complete, in IMDS's JSON, and not a failure.
func FuzzConnection(f *testing.F) {
	token := "GET " + tokenTarget("") + " HTTP/1.1\r\nHost: a\r\nMetadata: true\r\n"
	for _, sent := range []string{
		"", "hello\r\n\r\n", token + "\r\n", token + "\r\n" + token + "\r\n?\r\n\r\n",
		token + "Expect: x\r\n\r\n", token + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
		token + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + token + "\r\n",
		token + "Transfer-Encoding: x\r\n\r\n", token + "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
		"HEAD /metadata HTTP/1.0\r\n\r\n", token + "X: " + strings.Repeat("x", 16<<10),
	} {
		f.Add([]byte(sent))
	}
	server := NewServer(newIMDS().build(), slog.New(slog.DiscardHandler))
	listener := &pipeListener{make(chan net.Conn), make(chan struct{})}
	go server.Serve(listener)
	f.Cleanup(func() { server.Close() })
	f.Fuzz(func(t *testing.T, sent []byte) {
		connection := newRecordedConn(sent)
		listener.connections <- connection
		for _, got := range connection.answers(t) {
			if got.status >= 500 || got.header.Get("Server") != serverName[0] || len(got.body) > mostAnswered {
				t.Fatalf("got %d %v, %d bytes", got.status, got.header, len(got.body))
			}
			if got.header.Get("Content-Type") == contentJSON[0] && got.body != "" && !json.Valid([]byte(got.body)) {
				t.Fatalf("got %q", got.body)
			}
		}
	})
}
