package view

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// around are the parts that each pod of shop/orders depends on, whatever it asks for.
var around = []string{"ServiceAccount shop/orders", "Namespace /shop", "IdentityBinding shop/", "Service shop/"}

// with returns the parts around a pod and others.
func with(others ...string) []string { return append(slices.Clone(around), others...) }

var (
	bindingsOfShop      = signerapi.ViewKey{Kind: signerapi.ViewBindings, Namespace: "shop"}
	loadBalancersOfShop = signerapi.ViewKey{Kind: signerapi.ViewLoadBalancers, Namespace: "shop"}
	accountOrders       = signerapi.ViewKey{Kind: signerapi.ViewServiceAccount, Namespace: "shop", Name: "orders"}
)

func TestViewHasWhatPodsDependOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pod     *corev1.Pod
		account string
		bound   []string
		want    []string
	}{
		"nothing":                        {newPod("a", ""), "", nil, nil},
		"identities of the annotation":   {newPod("a", "orders, bills"), "", nil, []string{"orders", "bills"}},
		"identity of the ServiceAccount": {newPod("a", ""), "orders", nil, []string{"orders"}},
		"identities of bindings":         {newPod("a", ""), "", []string{"orders", "bills"}, []string{"orders", "bills"}},
		"annotation overrides binding":   {newPod("a", "bills"), "", []string{"orders"}, []string{"bills"}},
		"identity that does not exist":   {newPod("a", "missing"), "", nil, []string{"missing"}},
		"impossible names":               {newPod("a", "Orders!, orders"), "", nil, []string{"orders"}},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(s *stage) {
				s.cluster.set(account("orders", test.account), account("other", "other"), namespace("shop"), namespace("other"),
					newIdentity("orders"), newIdentity("bills"), newIdentity("other"))
				if test.bound != nil {
					s.cluster.set(newBinding("orders", "orders", test.bound...))
				}
				s.cluster.setPod(test.pod)
				s.follow()
				want := with("Pod /uid-a")
				for _, identity := range test.want {
					want = append(want, "ManagedIdentity /"+identity)
				}
				s.wantParts(want...)
				if !s.shown.isComplete() {
					t.Error("the view is not complete")
				}
			})
		})
	}
}

func TestPodsThatMayNotAskAreOnlyNamed(t *testing.T) {
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
				pod.Labels, pod.Annotations["kube-imds.io/user-data"] = map[string]string{"secret": "label"}, "secret"
				change(pod)
				s.cluster.setPod(pod)
				s.follow()
				s.wantParts("Pod /uid-a")
				for _, line := range s.shown.sent() {
					for _, object := range line.Objects {
						if line.Name == "uid-a" && strings.Contains(string(object), "secret") {
							t.Errorf("the view has %s", object)
						}
					}
				}
			})
		})
	}
}

// Editors of namespaces decide how large the details of pods are, and the signer has the pods of many nodes.
func TestDetailsOfPodsAreNotKept(t *testing.T) {
	onStage(t, func(s *stage) {
		pod := newPod("a", "orders")
		pod.Annotations[v1alpha1.UserDataAnnotation] = strings.Repeat("x", 64<<10)
		s.cluster.setPod(pod)
		s.follow()
		pod = pod.DeepCopy()
		pod.Labels["changed"] = "yes"
		s.cluster.setPod(pod)
		sent := s.shown.sent()
		if last := sent[len(sent)-1]; last.Name != "uid-a" || !strings.Contains(string(last.Objects[0]), "xxx") {
			t.Errorf("the pod is shown as %+v", last)
		}
		f := s.views["node-1"][0]
		if kept := f.pods["uid-a"]; kept == nil || len(kept.PodAnnotations) != 1 || kept.labels["changed"] != "yes" || len(f.fresh) > 0 {
			t.Errorf("kept: %+v; %d pods as they were shown", kept, len(f.fresh))
		}
	})
}

func TestPodsOfOtherNodesAreNotShown(t *testing.T) {
	onStage(t, func(s *stage) {
		elsewhere := newPod("elsewhere", "orders")
		elsewhere.Spec.NodeName = "node-2"
		s.cluster.setPod(elsewhere)
		s.follow()
		s.cluster.set(namespace("shop"), newIdentity("orders"), account("orders", ""))
		s.cluster.setPod(elsewhere)
		s.wantParts()
	})
}

func TestPartsAreSharedAndForgottenWithTheLastPod(t *testing.T) {
	onStage(t, func(s *stage) {
		s.cluster.set(account("orders", ""), namespace("shop"), newIdentity("orders"), newIdentity("bills"))
		one, other := newPod("one", "orders"), newPod("other", "orders,bills")
		s.follow()
		s.cluster.setPod(one, other)
		s.wantParts(with("Pod /uid-one", "Pod /uid-other", "ManagedIdentity /orders", "ManagedIdentity /bills")...)
		s.cluster.deletePod(other)
		s.wantParts(with("Pod /uid-one", "ManagedIdentity /orders")...)
		s.cluster.deletePod(one)
		s.wantParts()
		if len(s.followers) != 1 {
			t.Errorf("the hub tells the view of %d keys, want that of the Node alone", len(s.followers))
		}
	})
}

func TestLaterObjectsAreShown(t *testing.T) {
	onStage(t, func(s *stage) {
		s.cluster.setPod(newPod("a", ""))
		s.follow()
		s.wantParts(with("Pod /uid-a")...)
		s.wantObjects(accountOrders)
		s.cluster.set(account("orders", ""))
		s.wantObjects(accountOrders, "orders")
		s.cluster.set(newBinding("first", "orders", "orders"))
		s.wantObjects(bindingsOfShop, "first")
		s.wantObjects(identityKey("orders"))
		orders := newIdentity("orders")
		s.cluster.set(orders)
		s.wantObjects(identityKey("orders"), "orders")
		s.cluster.delete(orders)
		s.wantObjects(identityKey("orders"))
		s.cluster.set(account("orders", "bills"))
		s.wantParts(with("Pod /uid-a", "ManagedIdentity /bills")...)
		s.cluster.set(newLoadBalancer("front", "a"), newLoadBalancer("other", "b"))
		s.wantObjects(loadBalancersOfShop, "front")
	})
}

// Only the bindings that map a ServiceAccount of the node's pods are shown.
func TestBindingsThatDecideNothingAreNotShown(t *testing.T) {
	onStage(t, func(s *stage) {
		s.cluster.set(newBinding("all", "*", "orders"), newBinding("again", "orders", "orders"), newBinding("other", "stock", "stock"))
		s.cluster.setPod(newPod("a", ""))
		s.follow()
		s.wantObjects(bindingsOfShop, "again")
		stock := newPod("b", "")
		stock.Spec.ServiceAccountName = "stock"
		s.cluster.setPod(stock)
		s.wantObjects(bindingsOfShop, "again", "all", "other")
	})
}

// What does not concern the node's pods, and what changes only in its resource version, sends nothing.
func TestOtherChangesAreNotSent(t *testing.T) {
	onStage(t, func(s *stage) {
		pod := newPod("a", "orders")
		s.cluster.set(account("orders", ""), namespace("shop"), newIdentity("orders"))
		s.cluster.setPod(pod)
		s.follow()
		sent := len(s.shown.sent())
		orders := newIdentity("orders")
		orders.ResourceVersion = "8"
		renewed := pod.DeepCopy()
		renewed.ResourceVersion, renewed.Annotations["other"] = "8", "x"
		renewed.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady}}
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1", ResourceVersion: "8"}}
		s.cluster.set(account("other", "bills"), namespace("other"), newIdentity("bills"), newBinding("other", "stock", "stock"),
			newLoadBalancer("other", "b"), orders, node)
		s.cluster.setPod(renewed)
		if got := s.shown.sent(); len(got) != sent {
			t.Errorf("sent %+v", got[sent:])
		}
	})
}

// A change names the pods that it concerns, so that no other is woken.
func TestChangesNameTheirPods(t *testing.T) {
	onStage(t, func(s *stage) {
		s.cluster.setPod(newPod("a", "orders"), newPod("b", "bills"))
		s.follow()
		s.cluster.set(newIdentity("orders"))
		sent := s.shown.sent()
		last := sent[len(sent)-1]
		if last.ViewKey != identityKey("orders") || fmt.Sprint(last.Pods) != "[uid-a]" {
			t.Errorf("got %+v", last)
		}
	})
}

// Whatever happens, the view is the same as one that begins now.
func TestViewsAgree(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			onStage(t, func(s *stage) {
				random := rand.New(rand.NewPCG(seed, 0))
				s.follow()
				for range 200 {
					s.happen(random)
				}
				later := s.followNode("node-1", "uid-issuer-node-1")
				// Failed watches are tried again after half a minute at the most.
				time.Sleep(time.Minute)
				if diff := cmp.Diff(later.now(), s.shown.now()); diff != "" {
					t.Errorf("view (-one that begins now +this one):\n%s", diff)
				}
			})
		})
	}
}

// happen changes something.
func (s *stage) happen(random *rand.Rand) {
	n := random.IntN(4)
	identity := []string{"orders", "bills", "stock", "orders,bills"}[random.IntN(4)]
	pod := newPod(fmt.Sprint("pod-", n), []string{"", identity}[random.IntN(2)])
	pod.Spec.ServiceAccountName = []string{"orders", "stock"}[random.IntN(2)]
	pod.UID += "-" + pod.UID[:random.IntN(2)]
	switch random.IntN(12) {
	case 0, 1, 2:
		s.cluster.setPod(pod)
	case 3:
		if known := s.cluster.pods[pod.Name]; known != nil {
			s.cluster.deletePod(known)
		}
	case 4:
		s.cluster.set(account(pod.Spec.ServiceAccountName, []string{"", identity}[random.IntN(2)]))
	case 5:
		s.cluster.set(newIdentity([]string{"orders", "bills", "stock"}[random.IntN(3)]))
	case 6:
		s.cluster.delete(newIdentity([]string{"orders", "bills", "stock"}[random.IntN(3)]))
	case 7:
		s.cluster.set(newBinding(fmt.Sprint(n), pod.Spec.ServiceAccountName, strings.Split(identity, ",")...))
	case 8:
		s.cluster.delete(newBinding(fmt.Sprint(n), "", "x"))
	case 9:
		s.cluster.set(newLoadBalancer(fmt.Sprint("front-", n), pod.Name))
	case 10:
		s.cluster.set(namespace("shop"))
	case 11:
		s.cluster.interrupt()
	}
}

// A pod that is deleted while its watch is interrupted is gone afterwards, and so is what its successor of the same name is not.
func TestInterruptedWatchCatchesUp(t *testing.T) {
	onStage(t, func(s *stage) {
		gone, replaced := newPod("gone", "orders"), newPod("replaced", "bills")
		s.cluster.setPod(gone, replaced)
		s.follow()
		s.cluster.goAway(errors.New("the API server is away"))
		s.cluster.interrupt()
		synctest.Wait()
		s.cluster.replace("gone", nil)
		successor := newPod("replaced", "stock")
		successor.UID = "uid-successor"
		s.cluster.replace("replaced", successor)
		s.wantParts(with("Pod /uid-gone", "Pod /uid-replaced", "ManagedIdentity /orders", "ManagedIdentity /bills")...)
		s.cluster.goAway(nil)
		time.Sleep(time.Minute)
		s.wantParts(with("Pod /uid-successor", "ManagedIdentity /stock")...)
	})
}

// A view is not complete while the node's pods are not known.
func TestViewWithoutPodsIsNotComplete(t *testing.T) {
	onStage(t, func(s *stage) {
		s.cluster.goAway(errors.New("the API server is away"))
		s.follow()
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.shown.isComplete() {
			t.Fatal("the view is complete")
		}
		s.cluster.goAway(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if !s.shown.isComplete() {
			t.Error("the view is not complete")
		}
	})
}

func TestViewEndsWithTheIssuersPod(t *testing.T) {
	onStage(t, func(s *stage) {
		s.follow()
		s.cluster.deletePod(issuerPod("node-1"))
		<-s.shown.ended
		if !errors.Is(s.shown.err, errIssuerGone) {
			t.Errorf("error = %v", s.shown.err)
		}
		if len(s.views) != 0 || len(s.followers) != 0 || s.count != 0 {
			t.Errorf("the hub keeps %d views and %d followers", len(s.views), len(s.followers))
		}
		unknown := s.followNode("node-1", "uid-other")
		<-unknown.ended
		if !errors.Is(unknown.err, errIssuerGone) || unknown.isComplete() {
			t.Errorf("error = %v, complete: %t", unknown.err, unknown.isComplete())
		}
	})
}

func TestViewEndsWhenItCannotBeSent(t *testing.T) {
	onStage(t, func(s *stage) {
		s.follow()
		silent := errors.New("the issuer reads nothing")
		s.shown.fail(silent)
		s.cluster.setPod(newPod("a", ""))
		<-s.shown.ended
		if !errors.Is(s.shown.err, silent) {
			t.Errorf("error = %v", s.shown.err)
		}
	})
}

func TestQuietViewShowsThatItLives(t *testing.T) {
	onStage(t, func(s *stage) {
		s.follow()
		sent := len(s.shown.sent())
		for range 10 {
			time.Sleep(signerapi.HeartbeatSeconds * time.Second)
			now := len(s.shown.sent())
			if now == sent {
				t.Fatal("nothing was sent")
			}
			sent = now
		}
	})
}

func TestViewsEndWithTheHub(t *testing.T) {
	onStage(t, func(s *stage) {
		s.follow()
		ctx, stop := context.WithCancel(s.Context())
		stop()
		if err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
		<-s.shown.ended
		late := s.followNode("node-1", "uid-issuer-node-1")
		<-late.ended
		if late.err == nil || len(late.sent()) > 0 {
			t.Errorf("a later view: error %v, %d lines", late.err, len(late.sent()))
		}
	})
}
