package suite

import (
	"net/http"
	"regexp"
	"sync/atomic"
	"testing"
)

func TestThrottledRequestsAreRetried(t *testing.T) {
	t.Parallel()
	for wait, want := range map[string]Outcome{"1": OK, "": Failed, "3600": Failed} {
		t.Run(wait, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			handler := fixedHandler()
			busy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/metadata/versions" && asked.Add(1) == 1 {
					if wait != "" {
						w.Header().Set("Retry-After", wait)
					}
					w.WriteHeader(http.StatusTooManyRequests)
					return
				}
				handler.ServeHTTP(w, r)
			})
			for _, result := range ran(t, serve(t, busy), Options{Only: regexp.MustCompile(`^versions/list$`)}) {
				if result.Outcome != want {
					t.Errorf("%s", result)
				}
			}
			if asked.Load() == 0 {
				t.Error("no requests were sent")
			}
		})
	}
}
