package storagegate

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/testing/slowbody"
)

// limit is what the server under test allows for a request and its answer.
const limit = time.Second

// serve serves the gate with limits.
func (g *gateTest) serve(t *testing.T) *httptest.Server {
	t.Helper()
	served := httptest.NewUnstartedServer(g.Server)
	served.Config.ReadTimeout, served.Config.WriteTimeout = limit, limit
	served.StartTLS()
	t.Cleanup(served.Close)
	return served
}

func (g *gateTest) request(t *testing.T, served *httptest.Server, method string, body io.Reader) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, served.URL+"/invoices/a", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "orders.blob." + domain
	request.Header.Set("Authorization", g.token(t, "writer", nil))
	return served.Client().Do(request)
}

// A body that makes progress takes as long as it needs, each way.
func TestSlowBodiesPass(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	served := g.serve(t)
	response, err := g.request(t, served, http.MethodPut, slowbody.New(t.Context(), limit/2))
	if err != nil {
		t.Fatal("send a slow body:", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusCreated || len(g.bodies) != 1 || g.bodies[0] != slowbody.Content {
		t.Errorf("got %s, bodies %q", response.Status, g.bodies)
	}

	backend := httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(flushing{writer}, slowbody.New(request.Context(), limit/2))
	}))
	defer backend.Close()
	g.Backend.Transport = toward(backend)
	response, err = g.request(t, served, http.MethodGet, nil)
	if err != nil {
		t.Fatal("ask for a slow body:", err)
	}
	defer response.Body.Close()
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != slowbody.Content {
		t.Errorf("got %q, error %v", got, err)
	}
}

// flushing sends each part at once.
type flushing struct{ http.ResponseWriter }

func (f flushing) Write(content []byte) (int, error) {
	n, err := f.ResponseWriter.Write(content)
	return n, errors.Join(err, http.NewResponseController(f.ResponseWriter).Flush())
}

// toward is a transport that reaches a server whatever the address is.
type to struct{ *httptest.Server }

func toward(server *httptest.Server) http.RoundTripper { return to{server} }

// RoundTrip implements http.RoundTripper.
func (t to) RoundTrip(request *http.Request) (*http.Response, error) {
	request.URL.Host = t.Listener.Addr().String()
	return t.Client().Transport.RoundTrip(request)
}

// A body that stops is given up, and so is the request at the backend.
func TestStoppedBodyIsGivenUp(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.Patience = limit / 4
	reader, writer := io.Pipe()
	// The client may wait for its own body, which must end at last.
	defer time.AfterFunc(time.Minute, func() { _ = writer.Close() }).Stop()
	gone := make(chan error, 1)
	backend := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		_, err := io.Copy(io.Discard, request.Body)
		gone <- err
		_ = writer.CloseWithError(errors.New("nobody reads it"))
	}))
	defer backend.Close()
	g.Backend.Transport = toward(backend)
	go func() { _, _ = writer.Write([]byte("part")) }()
	response, err := g.request(t, g.serve(t), http.MethodPut, reader)
	if err == nil {
		_ = response.Body.Close()
		if response.StatusCode < http.StatusInternalServerError {
			t.Errorf("got %s", response.Status)
		}
	}
	select {
	case err := <-gone:
		if err == nil {
			t.Error("the backend takes it for a whole body")
		}
	case <-time.After(time.Minute):
		t.Error("the backend still waits")
	}
}
