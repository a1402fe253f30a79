package view

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// The oldest view of a node ends, not another node's.
func TestViewsOfANodeAreBounded(t *testing.T) {
	onStage(t, func(s *stage) {
		s.cluster.set(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-2"}})
		s.cluster.setPod(issuerPod("node-2"))
		other := s.followNode("node-2", "uid-issuer-node-2")
		var own []*screen
		for range maxViewsOfNode + 2 {
			own = append(own, s.followNode("node-1", "uid-issuer-node-1"))
			synctest.Wait()
		}
		for i, one := range append(own, other) {
			ended := false
			select {
			case <-one.ended:
				ended = true
			default:
			}
			if ended != (i < 2) {
				t.Errorf("view %d has ended: %t", i, ended)
			}
		}
	})
}

// A user who annotates pods must not fill the views of nodes.
func TestIdentitiesOfANamespaceAreBounded(t *testing.T) {
	onStage(t, func(s *stage) {
		s.follow()
		var pods []*corev1.Pod
		for n := range 10 {
			var names []string
			for i := range 32 {
				names = append(names, fmt.Sprintf("identity-%d-%d", n, i))
			}
			pods = append(pods, newPod(fmt.Sprint("greedy-", n), strings.Join(names, ",")))
		}
		s.cluster.setPod(pods...)
		if got := s.identities(); got != maxNames {
			t.Errorf("%d identities are shown, want %d", got, maxNames)
		}
		other := newPod("other", "orders")
		other.Namespace = "other"
		s.cluster.setPod(other)
		if _, found := s.shown.now()[identityKey("orders")]; !found {
			t.Error("a pod of another namespace lacks its identity")
		}
		// Room that a pod leaves goes to the others.
		s.cluster.deletePod(pods[:6]...)
		if got := s.identities(); got != 1+4*32 {
			t.Errorf("%d identities are shown after pods have left", got)
		}
	})
}

func TestAllIdentitiesAreBounded(t *testing.T) {
	onStage(t, func(s *stage) {
		s.follow()
		for n := range 12 {
			for i := range 4 {
				var names []string
				for j := range 32 {
					names = append(names, fmt.Sprintf("identity-%d-%d-%d", n, i, j))
				}
				pod := newPod(fmt.Sprintf("greedy-%d-%d", n, i), strings.Join(names, ","))
				pod.Namespace = fmt.Sprint("shop-", n)
				s.cluster.setPod(pod)
			}
		}
		if got := s.identities(); got != maxAllNames {
			t.Errorf("%d identities are shown, want %d", got, maxAllNames)
		}
	})
}

func (s *stage) identities() int {
	count := 0
	for key := range s.shown.now() {
		if key.Kind == signerapi.ViewIdentity {
			count++
		}
	}
	return count
}

func TestLoadBalancersAreBounded(t *testing.T) {
	onStage(t, func(s *stage) {
		for n := range 2 * maxLoadBalancers {
			s.cluster.set(newLoadBalancer(fmt.Sprintf("front-%03d", n), "a"))
		}
		s.cluster.setPod(newPod("a", ""))
		s.follow()
		if got := len(s.shown.now()[loadBalancersOfShop]); got != maxLoadBalancers {
			t.Errorf("%d load balancers are shown", got)
		}
	})
}

// A namespace whose bindings do not fit a line stays unknown, and the others do not suffer.
func TestTooLargePartsAreNotShown(t *testing.T) {
	onStage(t, func(s *stage) {
		s.follow()
		for n := range 4 {
			binding := newBinding(fmt.Sprint("large-", n), "orders", fmt.Sprint("identity-", n))
			binding.Spec.ServiceAccounts = append(binding.Spec.ServiceAccounts, strings.Repeat("a", signerapi.MaxChangeBytes/4))
			s.cluster.set(binding)
		}
		s.cluster.setPod(newPod("a", ""))
		if _, found := s.shown.now()[bindingsOfShop]; found {
			t.Error("the bindings are shown")
		}
		other := newPod("b", "")
		other.Namespace = "other"
		s.cluster.setPod(other)
		if _, found := s.shown.now()[signerapi.ViewKey{Kind: signerapi.ViewPod, Name: "uid-b"}]; !found {
			t.Error("the pod of another namespace is not shown")
		}
	})
}
