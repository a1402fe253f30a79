package issuer

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// askFrom requests a token from a source address and returns the status.
func (s *stage) askFrom(address, bearer string) int {
	s.Helper()
	request := s.request(bearer, http.MethodPost, issuerapi.TokenPath, askVault)
	request.RemoteAddr = address
	return s.ask(request).Code
}

// linesFrom returns the number of audit lines of a source.
func (s *stage) linesFrom(source string) int {
	count := 0
	for _, entry := range s.audit.entries(s.T) {
		if entry["source"] == source {
			count++
		}
	}
	return count
}

func TestUnauthenticatedRequestsDoNotFillTheAuditLog(t *testing.T) {
	for name, test := range map[string]struct {
		who    func() string
		status int
		reason string
		world  *world
	}{
		"no token":            {func() string { return "" }, http.StatusUnauthorized, failure.ReasonUnauthenticated, newWorld()},
		"garbage token":       {func() string { return "e30.e30.e30" }, http.StatusUnauthorized, failure.ReasonUnauthenticated, newWorld()},
		"pod of another node": {func() string { who := ordersPod(); who.node = "node-2"; return who.sign(t) }, http.StatusForbidden, failure.ReasonOtherNode, newWorld()},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, test.world, func(s *stage) {
				bearer := test.who()
				for i := range 100 {
					if got := s.askFrom(fmt.Sprintf("10.0.0.1:%d", 1024+i), bearer); got != test.status {
						t.Fatalf("request %d: status = %d", i, got)
					}
				}
				s.askFrom("10.0.0.2:1024", bearer)
				if one, other := s.linesFrom("10.0.0.1"), s.linesFrom("10.0.0.2"); one != sourceLines.burst || other != 1 {
					t.Errorf("%d lines of the one source, %d of the other", one, other)
				}
				time.Sleep(2 * time.Second)
				for range 10 {
					s.askFrom("10.0.0.1:1024", bearer)
				}
				if got := s.linesFrom("10.0.0.1"); got != sourceLines.burst+2 {
					t.Errorf("two seconds later: %d lines", got)
				}
			})
		})
	}
}

// No other limit counts requests that are throttled.
func TestThrottledRequestsDoNotFillTheAuditLog(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		before := testutil.ToFloat64(suppressedLines.WithLabelValues(failure.ReasonThrottled))
		bearer := ordersPod().sign(t)
		for range podLimits.Burst + 100 {
			s.askFrom("10.0.0.7:1024", bearer)
		}
		if got := len(s.audit.entries(t)); got != podLimits.Burst+sourceLines.burst {
			t.Errorf("got %d lines", got)
		}
		// Other tests add to the metric too.
		if got := testutil.ToFloat64(suppressedLines.WithLabelValues(failure.ReasonThrottled)) - before; got < 100-float64(sourceLines.burst) {
			t.Errorf("%g suppressed lines", got)
		}
	})
}

// Every refusal of a request that counted for the pod's limit is logged: that limit bounds them.
func TestCountedRefusalsAreAllLogged(t *testing.T) {
	onStage(t, newWorld(func(w *world) { w.bindings = nil }), func(s *stage) {
		bearer := ordersPod().sign(t)
		for range 2 * sourceLines.burst {
			s.askFrom("10.0.0.7:1024", bearer)
		}
		if got := len(s.audit.entries(t)); got != 2*sourceLines.burst {
			t.Errorf("got %d lines", got)
		}
	})
}

func TestAuditBucketsAreBounded(t *testing.T) {
	t.Parallel()
	var lines lineLimit
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	writable := func(source string) bool {
		_, allowed := lines.take(&exchange{source: source}, now)
		return allowed
	}
	for i := range 2 * maxSources {
		writable(fmt.Sprintf("source %d", i))
	}
	if got := len(lines.buckets); got != maxSources+1 {
		t.Errorf("%d buckets are kept", got)
	}
	if writable("one more") {
		t.Error("sources beyond the bound are not limited")
	}
	if now = now.Add(sweepEvery); !writable("one more") || len(lines.buckets) != 1 {
		t.Errorf("a minute later: %d buckets", len(lines.buckets))
	}
}

// A pod's refusals, however many, do not hide its grants, and the log says how many lines are missing.
func TestLinesOfAPodAreBounded(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		bearer := ordersPod().sign(t)
		ask := func(body string) {
			time.Sleep(time.Second / 20)
			s.ask(s.request(bearer, http.MethodPost, issuerapi.TokenPath, body))
		}
		start := time.Now()
		for range 1000 {
			ask("{}")
		}
		ask(askVault)
		written := podLines.burst + int(time.Since(start).Seconds())
		entries := s.audit.entries(t)
		if got := len(entries) - 1; got < written-1 || got > written+1 {
			t.Errorf("%d of 1000 refusals are logged, want %d", got, written)
		}
		if last := entries[len(entries)-1]; last["outcome"] != outcomeGranted {
			t.Errorf("the last line is not the grant: %v", last)
		}
		time.Sleep(10 * time.Second)
		ask("{}")
		entries = s.audit.entries(t)
		if suppressed, _ := entries[len(entries)-1]["suppressed"].(float64); int(suppressed) < 1 {
			t.Errorf("the log does not say how many lines are missing: %v", entries[len(entries)-1])
		}
	})
}

// A pod's annotation can name an identity of 200 KB.
func TestAuditLineIsBounded(t *testing.T) {
	asking := func(value string) func(*world) {
		return withPod(func(pod *corev1.Pod) { pod.Annotations = map[string]string{v1alpha1.IdentityAnnotation: value} })
	}
	for name, change := range map[string]func(*world){
		"long name":    asking(strings.Repeat("a", 200_000)),
		"many names":   asking(strings.Repeat("a b,", 50_000)),
		"longish name": asking(strings.Repeat("a", 15_000)),
		"long message": withIdentity(func(one *v1alpha1.ManagedIdentity) {
			one.Status.Conditions[0].Status, one.Status.Conditions[0].Message = metav1.ConditionFalse, strings.Repeat("é", 15_000)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, newWorld(change), func(s *stage) {
				s.askToken(ordersPod(), askVault)
				if got := len(s.audit.text()); got == 0 || got > 4096 {
					t.Errorf("line has %d bytes", got)
				}
			})
		})
	}
}

func TestSourceOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"10.0.0.7:1024": "10.0.0.7", "[fd00::7]:1024": "fd00::7", "@": "@", "": ""} {
		if got := sourceOf(address); got != want {
			t.Errorf("sourceOf(%q) = %q", address, got)
		}
	}
}
