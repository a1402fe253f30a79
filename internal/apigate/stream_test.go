package apigate

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/testing/slowbody"
)

// limit is what the server under test allows for a request and its answer.
const limit = 500 * time.Millisecond

// A body that makes progress takes as long as it needs.
func TestSlowBodyPasses(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	served := httptest.NewUnstartedServer(g.Server)
	served.Config.ReadTimeout, served.Config.WriteTimeout = limit, limit
	served.Start()
	defer served.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, served.URL+"/v1/orders", slowbody.New(t.Context(), limit/2))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", token(t, "writer", nil))
	response, err := served.Client().Do(request)
	if err != nil {
		t.Fatal("send a slow body:", err)
	}
	_ = response.Body.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	if response.StatusCode != http.StatusAccepted || len(g.bodies) != 1 || g.bodies[0] != slowbody.Content {
		t.Errorf("got %s, bodies %q", response.Status, g.bodies)
	}
}
