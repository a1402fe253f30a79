package watched

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// perPod is the number of watches of a pod that asks for no identity.
const perPod = 4

func TestObjectsThatAPodDependsOnAreWatched(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pod     *corev1.Pod
		account string
		bound   []string
		want    []string
	}{
		"identities of the annotation":   {newPod("a", "orders, bills"), "", nil, []string{"orders", "bills"}},
		"identity of the ServiceAccount": {newPod("a", ""), "orders", nil, []string{"orders"}},
		"identities of bindings":         {newPod("a", ""), "", []string{"orders", "bills"}, []string{"orders", "bills"}},
		"annotation overrides binding":   {newPod("a", "bills"), "", []string{"orders"}, []string{"bills"}},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(s *stage) {
				s.api.create(account(test.account), shop(), newIdentity("orders"), newIdentity("bills"), newIdentity("other"))
				if test.bound != nil {
					s.api.create(newBinding("orders", test.bound...))
				}
				s.arrive(test.pod)
				s.wantGranted(test.pod, test.want...)
				s.wantWatches(perPod + len(test.want))
			})
		})
	}
}

func TestPodsWithoutTokenVolumeAreNotWatchedFor(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*corev1.Pod){
		"no token":            func(p *corev1.Pod) { p.Spec.Volumes = nil },
		"another audience":    func(p *corev1.Pod) { p.Spec.Volumes[0].Projected.Sources[0].ServiceAccountToken.Audience = "other" },
		"succeeded":           func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded },
		"failed":              func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed },
		"volume has no token": func(p *corev1.Pod) { p.Spec.Volumes[0].Projected = nil },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(s *stage) {
				pod := newPod("a", "orders")
				change(pod)
				s.arrive(pod)
				s.wantWatches(0)
				s.wantUnknown(pod)
			})
		})
	}
}

func TestWatchesAreSharedAndEndWithTheLastPod(t *testing.T) {
	onStage(t, func(s *stage) {
		s.api.create(account(""), shop(), newIdentity("orders"), newIdentity("bills"))
		one, other := newPod("one", "orders"), newPod("other", "orders,bills")
		s.arrive(one, other)
		s.wantWatches(perPod + 2)
		s.leave(other)
		time.Sleep(grace + time.Second)
		s.wantWatches(perPod + 1)
		s.wantGranted(one, "orders")

		s.leave(one)
		time.Sleep(grace - time.Second)
		s.wantWatches(perPod + 1)
		time.Sleep(2 * time.Second)
		s.wantWatches(0)
		s.wantUnknown(one)
	})
}

func TestNextPodReusesTheWatches(t *testing.T) {
	onStage(t, func(s *stage) {
		s.api.create(account(""), shop(), newIdentity("orders"))
		for n := range 5 {
			pod := newPod(fmt.Sprint("pod-", n), "orders")
			s.arrive(pod)
			s.wantGranted(pod, "orders")
			s.leave(pod)
			time.Sleep(grace / 2)
		}
		if lists := s.api.lists(key{identity, "", "orders"}); lists != 1 {
			t.Errorf("the identity was listed %d times", lists)
		}
		time.Sleep(grace)
		s.wantWatches(0)
	})
}

// The pod of a finished job stays, but holds no watches.
func TestPodThatEndsReleasesItsWatches(t *testing.T) {
	onStage(t, func(s *stage) {
		pod := newPod("job", "orders")
		s.arrive(pod)
		ended := pod.DeepCopy()
		ended.Status.Phase = corev1.PodSucceeded
		s.Handler().OnUpdate(pod, ended)
		synctest.Wait()
		time.Sleep(grace + time.Second)
		s.wantWatches(0)
	})
}

// An interrupted watch reports a recreated pod of the same name as a change.
func TestRecreatedPodReplacesTheFormerOne(t *testing.T) {
	onStage(t, func(s *stage) {
		before, now := newPod("web-0", "orders"), newPod("web-0", "bills")
		now.UID = "another"
		s.arrive(before)
		s.Handler().OnUpdate(before, now)
		synctest.Wait()
		time.Sleep(grace + time.Second)
		s.wantWatches(perPod + 1)
		s.Handler().OnDelete(cache.DeletedFinalStateUnknown{Key: "shop/web-0", Obj: now})
		synctest.Wait()
		time.Sleep(grace + time.Second)
		s.wantWatches(0)
	})
}

// An object is not missing before its watch has listed.
func TestUnknownObjectsDecideNothing(t *testing.T) {
	onStage(t, func(s *stage) {
		s.api.goAway(errors.New("the API server is away"))
		s.api.create(account(""), shop(), newIdentity("orders"))
		pod := newPod("a", "orders")
		s.arrive(pod)
		s.wantUnknown(pod)
		if s.Ready() {
			t.Error("the watches are ready")
		}
		changed := s.changes.Of(string(pod.UID))
		s.api.goAway(nil)
		<-changed
		time.Sleep(2 * time.Minute)
		s.wantGranted(pod, "orders")
		if !s.Ready() {
			t.Error("the watches are not ready")
		}
	})
}

// A pod whose objects cannot be watched must not keep the issuer from becoming ready.
func TestReadinessDoesNotWaitForever(t *testing.T) {
	onStage(t, func(s *stage) {
		s.api.goAway(errors.New("refused"))
		s.arrive(newPod("a", "orders"))
		time.Sleep(settleWithin)
		if s.Ready() {
			t.Error("the watches are ready at once")
		}
		time.Sleep(time.Second)
		if !s.Ready() {
			t.Error("the watches are never ready")
		}
	})
}

func TestKnownObjectsStayKnownInAnOutage(t *testing.T) {
	onStage(t, func(s *stage) {
		s.api.create(account(""), shop(), newIdentity("orders"))
		pod := newPod("a", "orders")
		s.arrive(pod)
		s.wantGranted(pod, "orders")
		s.api.goAway(errors.New("the API server is away"))
		s.api.mu.Lock()
		for _, one := range s.api.sources {
			one.ResetWatch()
		}
		s.api.mu.Unlock()
		time.Sleep(time.Hour)
		s.wantGranted(pod, "orders")
		// A pod that depends on the same objects is served; one that asks for more has to wait.
		next, more := newPod("next", "orders"), newPod("more", "bills")
		s.arrive(next, more)
		s.wantGranted(next, "orders")
		s.wantUnknown(more)
		s.api.create(newIdentity("bills"))
		s.api.goAway(nil)
		time.Sleep(2 * time.Minute)
		s.wantGranted(more, "bills")
	})
}

// A recreated ServiceAccount has another UID.
func TestRecreatedServiceAccount(t *testing.T) {
	onStage(t, func(s *stage) {
		first := account("orders")
		s.api.create(first, shop(), newIdentity("orders"))
		pod := newPod("a", "")
		s.arrive(pod)
		s.wantGranted(pod, "orders")
		s.api.delete(first)
		synctest.Wait()
		if found, err := s.ServiceAccount(t.Context(), "shop", "orders"); found != nil || err != nil {
			t.Errorf("the ServiceAccount still exists: %v, error %v", found, err)
		}
		second := account("")
		second.UID = "another"
		s.api.create(second)
		synctest.Wait()
		if found, err := s.ServiceAccount(t.Context(), "shop", "orders"); err != nil || found == nil || found.UID != "another" {
			t.Errorf("got %v, error %v", found, err)
		}
		s.wantGranted(pod)
		time.Sleep(grace + time.Second)
		s.wantWatches(perPod)
	})
}

func TestLaterChangesTakeEffect(t *testing.T) {
	onStage(t, func(s *stage) {
		s.api.create(account(""), shop())
		pod := newPod("a", "")
		s.arrive(pod)
		s.wantGranted(pod)
		s.api.create(newIdentity("orders"), newBinding("later", "orders"))
		s.wantGranted(pod, "orders")
		s.api.create(newIdentity("bills"))
		s.api.update(account("bills"))
		s.wantGranted(pod, "bills")
		annotated := newPod("a", "orders")
		s.Handler().OnUpdate(pod, annotated)
		s.wantGranted(annotated, "orders")
		s.api.delete(newIdentity("orders"))
		s.wantGranted(annotated)
	})
}

func TestWaitingPodIsWokenByItsOwnObjects(t *testing.T) {
	onStage(t, func(s *stage) {
		other := account("")
		other.Name = "other"
		s.api.create(account(""), other, shop(), newIdentity("orders"), newIdentity("bills"))
		pod, neighbour := newPod("a", "orders"), newPod("b", "bills")
		neighbour.Spec.ServiceAccountName = "other"
		s.arrive(pod, neighbour)
		waited := s.changes.Of("uid-a")
		s.api.update(newIdentity("bills"), other)
		synctest.Wait()
		select {
		case <-waited:
			t.Error("a pod is woken by its neighbour's objects")
		default:
		}
		s.api.update(newIdentity("orders"))
		<-waited
	})
}

// The API server would search all identities for a name that none can have.
func TestImpossibleNamesAreNotWatched(t *testing.T) {
	onStage(t, func(s *stage) {
		s.api.create(account(""), shop(), newIdentity("orders"))
		pod := newPod("a", "orders,no/name,metadata.name=x,UPPER,"+strings.Repeat("x", 300))
		s.arrive(pod)
		s.wantGranted(pod, "orders")
		s.wantWatches(perPod + 1)
	})
}

// Pods of one namespace get no more than its share of watches, and take nothing from others.
func TestWatchesOfANamespaceAreBounded(t *testing.T) {
	onStage(t, func(s *stage) {
		s.api.create(account(""), shop(), newIdentity("orders"))
		const greedy = 20
		var pods []*corev1.Pod
		for n := range greedy {
			var names []string
			for m := range 32 {
				names = append(names, fmt.Sprintf("no-%d-%d", n, m))
			}
			pods = append(pods, newPod(fmt.Sprint("greedy-", n), strings.Join(names, ",")))
		}
		s.arrive(pods...)
		s.wantWatches(perPod + maxNames)
		s.wantUnknown(pods[greedy-1])

		elsewhere := newPod("quiet", "orders")
		elsewhere.Namespace = "elsewhere"
		quiet, home := account(""), shop()
		quiet.Namespace, home.Name = "elsewhere", "elsewhere"
		s.api.create(quiet, home)
		s.arrive(elsewhere)
		s.wantWatches(2*perPod + maxNames + 1)

		// Pods that end make room for waiting ones.
		s.leave(pods[:greedy-1]...)
		s.wantGranted(pods[greedy-1])
		time.Sleep(grace + time.Second)
		s.wantWatches(2*perPod + 32 + 1)
	})
}

// A user who may create namespaces cannot make a node watch without bound.
func TestWatchesOfANodeAreBounded(t *testing.T) {
	onStage(t, func(s *stage) {
		const homes = 15
		for n := range homes * maxNames / 32 {
			var names []string
			for m := range 32 {
				names = append(names, fmt.Sprintf("no-%d-%d", n, m))
			}
			pod := newPod(fmt.Sprint("greedy-", n), strings.Join(names, ","))
			pod.Namespace = fmt.Sprint("home-", n%homes)
			s.arrive(pod)
		}
		time.Sleep(time.Minute)
		s.wantWatches(homes*perPod + maxAllNames)
	})
}

func TestIdleWatchesAreBounded(t *testing.T) {
	onStage(t, func(s *stage) {
		for n := range 3 * maxIdle {
			pod := newPod(fmt.Sprint("pod-", n), fmt.Sprint("identity-", n))
			s.arrive(pod)
			s.leave(pod)
		}
		s.wantWatches(maxIdle)
		time.Sleep(grace + time.Second)
		s.wantWatches(0)
	})
}

// Pods arrive and leave concurrently, and nothing of them remains.
func TestManyPodsArriveAndLeave(t *testing.T) {
	onStage(t, func(s *stage) {
		s.api.create(account(""), shop())
		for n := range 8 {
			s.api.create(newIdentity(fmt.Sprint("identity-", n)))
		}
		var working sync.WaitGroup
		for n := range 8 {
			working.Go(func() {
				handler := s.Handler()
				for m := range 50 {
					pod := newPod(fmt.Sprintf("pod-%d-%d", n, m), fmt.Sprint("identity-", rand.IntN(8)))
					handler.OnAdd(pod, false)
					_, _ = s.grantOf(pod)
					if m%3 == 0 {
						s.api.update(newIdentity(fmt.Sprint("identity-", rand.IntN(8))))
					}
					changed := newPod(pod.Name, fmt.Sprint("identity-", rand.IntN(8)))
					handler.OnUpdate(pod, changed)
					time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
					handler.OnDelete(changed)
				}
			})
		}
		working.Wait()
		last := newPod("last", "identity-0")
		s.arrive(last)
		s.wantGranted(last, "identity-0")
		s.leave(last)
		time.Sleep(grace + time.Second)
		s.wantWatches(0)
		if len(s.pool.watches)+len(s.pool.held)+s.pool.idle+len(s.pods) != 0 {
			t.Errorf("%d watches, %d holders, %d idle, %d pods remain", len(s.pool.watches), len(s.pool.held), s.pool.idle, len(s.pods))
		}
	})
}
