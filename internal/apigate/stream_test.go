package apigate

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// limit is what the server under test allows for a request and its answer.
const limit = 500 * time.Millisecond

// slow is a body that comes in four parts, over more time than the server's limit.
type slow struct {
	ctx   context.Context
	parts int
}

func (s *slow) Read(into []byte) (int, error) {
	if s.parts == 4 {
		return 0, io.EOF
	}
	if s.parts++; s.parts > 1 {
		select {
		case <-time.After(limit / 2):
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		}
	}
	return copy(into, "part"), nil
}

// A body that makes progress takes as long as it needs.
func TestSlowBodyPasses(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	served := httptest.NewUnstartedServer(g.Server)
	served.Config.ReadTimeout, served.Config.WriteTimeout = limit, limit
	served.Start()
	defer served.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, served.URL+"/v1/orders", &slow{ctx: t.Context()})
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
	if response.StatusCode != http.StatusAccepted || len(g.bodies) != 1 || g.bodies[0] != strings.Repeat("part", 4) {
		t.Errorf("got %s, bodies %q", response.Status, g.bodies)
	}
}
