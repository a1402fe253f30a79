package issuer

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// askFrom asks for a token from a source address.
func (s *stage) askFrom(address, bearer string) int {
	s.Helper()
	request := s.request(bearer, http.MethodPost, issuerapi.TokenPath, askVault)
	request.RemoteAddr = address
	return s.ask(request).Code
}

// lines counts the audit log's lines from a source.
func (s *stage) linesFrom(source string) int {
	count := 0
	for _, entry := range s.audit.entries(s.T) {
		if entry["source"] == source {
			count++
		}
	}
	return count
}

func TestNobodyFillsTheAuditLog(t *testing.T) {
	for name, test := range map[string]struct {
		who    func() string
		status int
		reason string
		world  *world
	}{
		"without a token":         {func() string { return "" }, http.StatusUnauthorized, reply.ReasonUnauthenticated, newWorld()},
		"with a token of nobody":  {func() string { return "e30.e30.e30" }, http.StatusUnauthorized, reply.ReasonUnauthenticated, newWorld()},
		"with another node's pod": {func() string { who := ordersPod(); who.node = "node-2"; return who.sign(t) }, http.StatusForbidden, reply.ReasonOtherNode, newWorld()},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, test.world, func(s *stage) {
				bearer := test.who()
				for i := range 100 {
					if got := s.askFrom(fmt.Sprintf("10.0.0.1:%d", 1024+i), bearer); got != test.status {
						t.Fatalf("request %d is answered with %d", i, got)
					}
				}
				s.askFrom("10.0.0.2:1024", bearer)
				if one, other := s.linesFrom("10.0.0.1"), s.linesFrom("10.0.0.2"); one != linesBurst || other != 1 {
					t.Errorf("%d lines are from the one, and %d from the other", one, other)
				}
				time.Sleep(2 * time.Second)
				for range 10 {
					s.askFrom("10.0.0.1:1024", bearer)
				}
				if got := s.linesFrom("10.0.0.1"); got != linesBurst+2 {
					t.Errorf("two seconds later there are %d lines", got)
				}
			})
		})
	}
}

// What is refused to a pod that asks too often is counted by nothing else.
func TestThrottledRequestsDoNotFillTheAuditLog(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		before := testutil.ToFloat64(suppressedLines.WithLabelValues(reply.ReasonThrottled))
		bearer := ordersPod().sign(t)
		for range podLimits.Burst + 100 {
			s.askFrom("10.0.0.7:1024", bearer)
		}
		if got := len(s.audit.entries(t)); got != podLimits.Burst+linesBurst {
			t.Errorf("%d lines are written", got)
		}
		// Other tests count there too.
		if got := testutil.ToFloat64(suppressedLines.WithLabelValues(reply.ReasonThrottled)) - before; got < 100-linesBurst {
			t.Errorf("%g suppressed lines are counted", got)
		}
	})
}

// Whatever a pod that was counted is refused is on record: there cannot be too many.
func TestCountedRefusalsAreAllOnRecord(t *testing.T) {
	onStage(t, newWorld(func(w *world) { w.bindings = nil }), func(s *stage) {
		bearer := ordersPod().sign(t)
		for range 2 * linesBurst {
			s.askFrom("10.0.0.7:1024", bearer)
		}
		if got := len(s.audit.entries(t)); got != 2*linesBurst {
			t.Errorf("%d lines are written", got)
		}
	})
}

func TestSourcesAreForgotten(t *testing.T) {
	t.Parallel()
	var lines lineLimit
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range 2 * maxSources {
		lines.allow(fmt.Sprintf("source %d", i), now)
	}
	if got := len(lines.sources); got != maxSources+1 {
		t.Errorf("%d sources are kept", got)
	}
	if lines.allow("one more", now) {
		t.Error("what is too much has no bucket of its own, and may still write")
	}
	if !lines.allow("one more", now.Add(sweepEvery)) || len(lines.sources) != 1 {
		t.Errorf("a minute later %d sources are kept", len(lines.sources))
	}
}

func TestSourceOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"10.0.0.7:1024": "10.0.0.7", "[fd00::7]:1024": "fd00::7", "@": "@", "": ""} {
		if got := sourceOf(address); got != want {
			t.Errorf("the source of %q is %q", address, got)
		}
	}
}
