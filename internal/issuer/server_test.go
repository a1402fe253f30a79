package issuer

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// askAt sends a request of the world's pod to an endpoint.
func (s *stage) askAt(ctx context.Context, e endpoint, bearer string) *httptest.ResponseRecorder {
	s.Helper()
	method, path, _ := strings.Cut(e.pattern, " ")
	body := ""
	if method == http.MethodPost {
		body = `{"resource":"` + vault + `","version":"2021-02-01"}`
	}
	return s.ask(s.request(bearer, method, path, body).WithContext(ctx))
}

func TestEndpointsAreCountedAndAudited(t *testing.T) {
	for _, e := range endpoints {
		t.Run(e.name, func(t *testing.T) {
			w := newWorld()
			if e.name == nameAssertion {
				w = federatedWorld(nil)
			}
			onStage(t, w, func(s *stage) {
				s.Attestations, s.Asserter = &attester{}, &asserter{}
				for _, test := range []struct {
					bearer, outcome, reason string
					status                  int
				}{
					{ordersPod().sign(t), "granted", "", http.StatusOK},
					{"e30.e30.e30", "refused", "Unauthenticated", http.StatusUnauthorized},
				} {
					before := testutil.ToFloat64(requests.WithLabelValues(e.name, test.outcome, test.reason))
					lines := len(s.audit.entries(t))
					wantStatus(t, s.askAt(s.Context(), e, test.bearer), test.status)
					if got := testutil.ToFloat64(requests.WithLabelValues(e.name, test.outcome, test.reason)) - before; got < 1 {
						t.Errorf("outcome %s is not counted", test.outcome)
					}
					entries := s.audit.entries(t)[lines:]
					if e.audited != (len(entries) == 1) {
						t.Fatalf("audited: %t, audit log = %v", e.audited, entries)
					}
					if e.audited && (entries[0]["msg"] != e.name || entries[0]["outcome"] != test.outcome) {
						t.Errorf("audit log = %v", entries[0])
					}
				}
			})
		})
	}
}

func TestGoneClientIsNeitherAnsweredNorCounted(t *testing.T) {
	for _, e := range endpoints {
		t.Run(e.name, func(t *testing.T) {
			onStage(t, newWorld(), func(s *stage) {
				gone, cancel := context.WithCancel(s.Context())
				cancel()
				s.Attestations = &attester{err: gone.Err()}
				s.Minters, s.failing = nil, gone.Err()
				recorder := httptest.NewRecorder()
				method, path, _ := strings.Cut(e.pattern, " ")
				s.Handler().ServeHTTP(recorder, s.request(ordersPod().sign(t), method, path, "{}").WithContext(gone))
				if recorder.Body.Len() != 0 || len(s.audit.entries(t)) != 0 {
					t.Errorf("response = %q, audit log = %v", recorder.Body, s.audit.entries(t))
				}
			})
		})
	}
}
