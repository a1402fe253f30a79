package issuer

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// podLimits are the chart's defaults.
var podLimits = PodLimits{RequestsPerSecond: 20, Burst: 50, Concurrent: 8}

// withLimits runs a test with unused limits in a synctest bubble.
func withLimits(t *testing.T, bounds PodLimits, test func(t *testing.T, limits *Limits)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(t, NewLimits(bounds, time.Now)) })
}

// begun returns how many of a pod's requests, one after the other, are admitted.
func begun(limits *Limits, uid string, asked int) int {
	count := 0
	for range asked {
		if turn, err := limits.beginPod(asker{podUID: uid}); err == nil {
			count++
			turn.end()
		}
	}
	return count
}

func wantCount(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %d requests are admitted, want %d", what, got, want)
	}
}

// waitOf returns the seconds that a refused request has to wait.
func waitOf(t *testing.T, err error) int {
	t.Helper()
	var refused *failure.Failure
	if !errors.As(err, &refused) || refused.Kind != failure.Throttled {
		t.Fatalf("request is not throttled: %v", err)
	}
	return int(refused.RetryAfter / time.Second)
}

func TestRequestRateOfAPodIsLimited(t *testing.T) {
	withLimits(t, podLimits, func(t *testing.T, limits *Limits) {
		wantCount(t, "at first", begun(limits, "one", 100), 50)
		wantCount(t, "of another pod", begun(limits, "other", 100), 50)
		time.Sleep(time.Second)
		wantCount(t, "a second later", begun(limits, "one", 100), 20)
		time.Sleep(time.Hour)
		wantCount(t, "after a quiet", begun(limits, "one", 100), 50)
	})
}

// Refused requests do not count: a pod that asks all the time still gets its rate.
func TestRefusedRequestsDoNotCount(t *testing.T) {
	withLimits(t, podLimits, func(t *testing.T, limits *Limits) {
		begun(limits, "one", 1000)
		count := 0
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			count += begun(limits, "one", 10)
		}
		wantCount(t, "in ten seconds", count, 200)
	})
}

func TestRetryAfterIsTheBucketsWait(t *testing.T) {
	t.Parallel()
	for perSecond, want := range map[float64]int{20: 1, 1: 1, 0.5: 2, 0.3: 4, 0.04: 25, 0.001: 25} {
		t.Run(strconv.FormatFloat(perSecond, 'g', -1, 64), func(t *testing.T) {
			withLimits(t, PodLimits{perSecond, 1, 1}, func(t *testing.T, limits *Limits) {
				begun(limits, "one", 1)
				_, err := limits.beginPod(asker{podUID: "one"})
				if got := waitOf(t, err); got != want {
					t.Errorf("at %g requests a second the wait is %d s, want %d s", perSecond, got, want)
				}
			})
		})
	}
}

func TestConcurrentRequestsOfAPodAreLimited(t *testing.T) {
	withLimits(t, podLimits, func(t *testing.T, limits *Limits) {
		var turns []turn
		for range podLimits.Concurrent {
			turn, err := limits.beginPod(asker{podUID: "one"})
			if err != nil {
				t.Fatal(err)
			}
			turns = append(turns, turn)
		}
		_, err := limits.beginPod(asker{podUID: "one"})
		if got := waitOf(t, err); got != 1 {
			t.Errorf("wait = %d s", got)
		}
		wantCount(t, "of another pod", begun(limits, "other", 1), 1)
		turns[0].end()
		turns[0].end()
		if _, err = limits.beginPod(asker{podUID: "one"}); err != nil {
			t.Errorf("after one is done: %v", err)
		}
		_, err = limits.beginPod(asker{podUID: "one"})
		waitOf(t, err)
	})
}

func TestHeldRequestsOfAPodAreLimited(t *testing.T) {
	withLimits(t, podLimits, func(t *testing.T, limits *Limits) {
		var last turn
		for range maxHeld {
			turn, err := limits.hold("one")
			if err != nil {
				t.Fatal(err)
			}
			last = turn
		}
		_, err := limits.hold("one")
		waitOf(t, err)
		wantCount(t, "that are not held", begun(limits, "one", 10), 10)
		last.end()
		if _, err := limits.hold("one"); err != nil {
			t.Errorf("after one is done: %v", err)
		}
	})
}

func TestIdlePodsAreDropped(t *testing.T) {
	withLimits(t, podLimits, func(t *testing.T, limits *Limits) {
		begun(limits, "gone", 50)
		if _, err := limits.beginPod(asker{podUID: "working"}); err != nil {
			t.Fatal(err)
		}
		if _, err := limits.hold("holding"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(sweepEvery)
		begun(limits, "new", 1)
		kept := map[string]bool{}
		for pod := range limits.pods {
			kept[pod.podUID] = true
		}
		if diff := cmp.Diff(map[string]bool{"working": true, "holding": true, "new": true}, kept); diff != "" {
			t.Errorf("kept pods (-want +got):\n%s", diff)
		}
	})
}

// quietPod returns another pod of the same node.
func quietPod() (podToken, func(*world)) {
	who := ordersPod()
	who.pod, who.podUID, who.address = "quiet-0", "quiet-uid", "10.0.0.9"
	return who, func(w *world) {
		pod := w.pod.DeepCopy()
		pod.Name, pod.UID, pod.Status.PodIPs = who.pod, "quiet-uid", []corev1.PodIP{{IP: who.address}}
		w.morePods = append(w.morePods, pod)
	}
}

// One pod sends as many requests as it can; another one sends few, and always gets its token at once.
func TestGreedyPodDoesNotStarveAnother(t *testing.T) {
	quiet, beside := quietPod()
	onStage(t, newWorld(beside), func(s *stage) {
		s.minter.takes = 20 * time.Millisecond
		begun, stopped := time.Now(), make(chan struct{})
		var greedy sync.WaitGroup
		var mu sync.Mutex
		statuses := map[int]int{}
		bearer := ordersPod().sign(t)
		for range 12 {
			greedy.Go(func() {
				for {
					select {
					case <-stopped:
						return
					case <-time.After(10 * time.Millisecond):
					}
					status := s.ask(s.request(bearer, http.MethodPost, issuerapi.TokenPath, askVault)).Code
					mu.Lock()
					statuses[status]++
					mu.Unlock()
				}
			})
		}
		for range 10 {
			time.Sleep(200 * time.Millisecond)
			asked := time.Now()
			wantStatus(t, s.askToken(quiet, askVault), http.StatusOK)
			if took := time.Since(asked); took != s.minter.takes {
				t.Errorf("the quiet pod waited %s", took)
			}
		}
		close(stopped)
		greedy.Wait()
		if most := podLimits.Burst + int(time.Since(begun).Seconds()*podLimits.RequestsPerSecond) + 1; statuses[http.StatusOK] > most || statuses[http.StatusOK] < most/2 ||
			statuses[http.StatusTooManyRequests] < 10*most || len(statuses) != 2 {
			t.Errorf("statuses of the greedy pod = %v", statuses)
		}
	})
}

// Twenty minutes of a sidecar: it holds a request for its grant, reads metadata once a minute and renews tokens. In the cluster
// something changes every second, and the pod's grant often.
func TestSidecarIsNotThrottled(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		ended := time.Now().Add(20 * time.Minute)
		var sidecar sync.WaitGroup
		every := func(pause time.Duration, method, path, body string) {
			for time.Now().Before(ended) {
				if answer := s.ask(s.request(ordersPod().sign(t), method, path, body)); answer.Code != http.StatusOK {
					t.Errorf("%s: got %d %s", path, answer.Code, answer.Body)
				}
				time.Sleep(pause)
			}
		}
		sidecar.Go(func() { every(time.Minute, http.MethodGet, issuerapi.InstancePath, "") })
		sidecar.Go(func() { every(30*time.Second, http.MethodPost, issuerapi.TokenPath, askVault) })
		sidecar.Go(func() {
			known := ""
			for time.Now().Before(ended) {
				request := s.request(ordersPod().sign(t), http.MethodGet, issuerapi.GrantPath, "")
				request.Header.Set("If-None-Match", known)
				answer := s.ask(request)
				if answer.Code != http.StatusOK && answer.Code != http.StatusNotModified {
					t.Errorf("held request: got %d %s", answer.Code, answer.Body)
					return
				}
				known = answer.Header().Get("ETag")
			}
		})
		for i := 0; time.Now().Before(ended); i++ {
			time.Sleep(10 * time.Second)
			orders := identity("orders")
			for range 2 * maxHeld {
				s.changes.Notify()
				synctest.Wait()
			}
			s.update(orders, func() { orders.Spec.AllowedResources = []string{vault, strconv.Itoa(i)} })
		}
		s.stop()
		sidecar.Wait()
	})
}

func TestHeldRequestsAreBounded(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		var held []<-chan int
		known := s.etag()
		for range maxHeld {
			answered := make(chan int, 1)
			held = append(held, answered)
			go func() { answered <- s.askGrant(known).Code }()
		}
		synctest.Wait()
		refused := s.askGrant(known)
		wantStatus(t, refused, http.StatusTooManyRequests)
		if refused.Header().Get("Retry-After") != "1" || refused.Header().Get("ETag") != "" {
			t.Errorf("headers = %v", refused.Header())
		}
		// Held requests do not count as concurrent ones.
		s.minter.takes = time.Second
		var working sync.WaitGroup
		for range podLimits.Concurrent {
			working.Go(func() {
				if status := s.askToken(ordersPod(), askVault).Code; status != http.StatusOK {
					t.Errorf("token request beside held ones: status = %d", status)
				}
			})
		}
		working.Wait()
		s.stop()
		for _, answered := range held {
			if status := <-answered; status != http.StatusNotModified {
				t.Errorf("held request: status = %d", status)
			}
		}
		wantStatus(t, s.askGrant(known), http.StatusNotModified)
	})
}

// A request that is never released would count forever.
func TestAnsweredRequestsAreReleased(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		bearer := ordersPod().sign(t)
		for path, asked := range map[string]struct{ method, body string }{
			issuerapi.TokenPath:        {http.MethodPost, askVault},
			issuerapi.IdentityPath:     {http.MethodPost, "{}"},
			issuerapi.InstancePath:     {http.MethodGet, ""},
			issuerapi.LoadBalancerPath: {http.MethodGet, ""},
			issuerapi.GrantPath:        {http.MethodGet, ""},
		} {
			wantStatus(t, s.ask(s.request(bearer, asked.method, path, asked.body)), http.StatusOK)
		}
		for uid, pod := range s.Limits.pods {
			if pod.asking != 0 || pod.held != 0 {
				t.Errorf("pod %s has %d requests in progress and %d held", uid, pod.asking, pod.held)
			}
		}
	})
}
