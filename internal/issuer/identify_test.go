package issuer

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

func TestPodThatAppearsInTimeIsServed(t *testing.T) {
	w := newWorld()
	pod := w.pod
	w.pod = nil
	onStage(t, w, func(s *stage) {
		start := time.Now()
		go func() {
			time.Sleep(watchLag - time.Second)
			if err := s.client.Create(s.Context(), pod); err != nil {
				t.Error(err)
			}
			s.changes.Notify()
		}()
		wantStatus(t, s.askToken(ordersPod(), askVault), http.StatusOK)
		if waited := time.Since(start); waited != watchLag-time.Second {
			t.Errorf("answered after %s, not when the pod appeared", waited)
		}
	})
}

func TestPodThatDoesNotAppearIsRefusedInTime(t *testing.T) {
	onStage(t, newWorld(func(w *world) { w.pod = nil }), func(s *stage) {
		start := time.Now()
		s.wantRefusal(s.askToken(ordersPod(), askVault), notServed)
		if waited := time.Since(start); waited != watchLag {
			t.Errorf("refused after %s, want %s", waited, watchLag)
		}
	})
}

// A client that left was not refused.
func TestClientThatLeavesIsNotAudited(t *testing.T) {
	onStage(t, newWorld(func(w *world) { w.pod = nil }), func(s *stage) {
		ctx, cancel := context.WithCancel(s.Context())
		request := s.request(ordersPod().sign(t), http.MethodPost, issuerapi.TokenPath, askVault).WithContext(ctx)
		go func() {
			synctest.Wait()
			cancel()
		}()
		s.Handler().ServeHTTP(&unheard{s.T}, request)
		if log := s.audit.text(); log != "" {
			t.Errorf("unexpected audit log: %s", log)
		}
	})
}

// unheard is a response writer that must not be used.
type unheard struct{ *testing.T }

func (u *unheard) Header() http.Header { return http.Header{} }

func (u *unheard) Write([]byte) (int, error) {
	u.Error("a response is written to a client that left")
	return 0, http.ErrAbortHandler
}

func (u *unheard) WriteHeader(int) {}

// The audit log names the pod whose token was used at another node's issuer.
func TestPodOfAnotherNodeIsAudited(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		who := ordersPod()
		who.node = "node-2"
		s.wantRefusal(s.askToken(who, askVault), notServed.because("OtherNode"))
		for _, entry := range s.audit.entries(t) {
			if entry["namespace"] != "shop" || entry["pod"] != "orders-0" || entry["podUID"] != "pod-uid" || entry["serviceAccount"] != "orders" {
				t.Errorf("the audit log does not name the pod: %v", entry)
			}
		}
	})
}
