package issuer

import (
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	limits := NewLimits(func() time.Time { return now })
	allowed := func(uid string, asked int) int {
		count := 0
		for range asked {
			if limits.Allow(uid) {
				count++
			}
		}
		return count
	}
	want := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d requests are allowed, not %d", what, got, want)
		}
	}
	want("at first", allowed("one", 100), burst)
	want("of another pod", allowed("other", 100), burst)
	now = now.Add(time.Second)
	want("a second later", allowed("one", 100), requestsPerSecond)
	limits.Forget("one")
	want("of a pod that is new again", allowed("one", 100), burst)
	limits.Forget("never seen")
}

func TestPodsThatAreGoneAreForgotten(t *testing.T) {
	t.Parallel()
	pod := newWorld().pod
	for name, gone := range map[string]any{
		"as the informer saw":   pod,
		"as the informer finds": cache.DeletedFinalStateUnknown{Key: "shop/orders-0", Obj: pod},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := NewLimits(time.Now)
			limits.Allow(string(pod.UID))
			limits.Allow("another")
			limits.Handler().OnDelete(gone)
			if len(limits.limiters) != 1 || limits.limiters["another"] == nil {
				t.Errorf("what is kept is %v", limits.limiters)
			}
		})
	}
}
