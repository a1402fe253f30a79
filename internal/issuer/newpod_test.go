package issuer

import (
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"

	corev1 "k8s.io/api/core/v1"
)

// Objects created together with a pod may reach the issuer after it, and clients do not retry a 400.
func TestNewPodGets503ForUnknownObjects(t *testing.T) {
	for name, forget := range map[string]func(*world){
		"its identity":       func(w *world) { w.identities = nil },
		"its ServiceAccount": func(w *world) { w.account = &corev1.ServiceAccount{ObjectMeta: named("shop", "another", "uid")} },
		"its namespace":      func(w *world) { w.namespace = &corev1.Namespace{ObjectMeta: named("", "another", "uid")} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(forget)
			onStage(t, w, func(s *stage) {
				s.update(w.pod, func() { w.pod.CreationTimestamp = metav1.NewTime(time.Now()) })
				s.wantRefusal(s.askToken(ordersPod(), askVault), away)
				time.Sleep(directory.MaxLag + time.Second)
				if status := s.askToken(ordersPod(), askVault).Code; status != http.StatusBadRequest && status != http.StatusForbidden {
					t.Errorf("status of an older pod = %d", status)
				}
			})
		})
	}
}

// An issuer that was cut off from the API server learns of new pods late.
func TestUnknownPodWithNewTokenGets503(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		who := ordersPod()
		who.podUID, who.age = "not-known-yet", 0
		s.wantRefusal(s.askToken(who, askVault), away)
		who.age = directory.MaxLag
		s.wantRefusal(s.askToken(who, askVault), notServed)
	})
}

// Waiting does not help with a known identity that does not admit the pod.
func TestNewPodIsRefusedIdentityThatDoesNotAdmitIt(t *testing.T) {
	w := newWorld(func(w *world) { w.identities[0].Spec.AssumableBy = nil })
	onStage(t, w, func(s *stage) {
		s.update(w.pod, func() { w.pod.CreationTimestamp = metav1.NewTime(time.Now()) })
		s.wantRefusal(s.askToken(ordersPod(), askVault), notFound.because("NotAdmitted"))
	})
}
