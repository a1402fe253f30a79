package issuer

import (
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

func TestEventsAreAnswered(t *testing.T) {
	given := newWorld(withPod(func(p *corev1.Pod) {
		p.UID = "02aab8a4-74ef-476e-8182-f6d2ba4166a6"
		p.CreationTimestamp = metav1.Unix(900, 0)
	}))
	onStage(t, given, func(s *stage) {
		who := ordersPod()
		who.podUID = "02aab8a4-74ef-476e-8182-f6d2ba4166a6"
		want := func(body string) {
			s.Helper()
			recorder := s.ask(s.request(who.sign(s.T), http.MethodGet, issuerapi.EventsPath, ""))
			wantStatus(s.T, recorder, http.StatusOK)
			if got := strings.TrimSpace(recorder.Body.String()); got != body {
				s.Errorf("got  %s\nwant %s", got, body)
			}
		}
		want(`{"pod_name":"orders-0","pod_created_on":900,"events":[]}`)
		s.update(given.node, func() {
			given.node.Spec.Taints = []corev1.Taint{{
				Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule, TimeAdded: new(metav1.Unix(1000, 0)),
			}}
		})
		want(`{"pod_name":"orders-0","pod_created_on":900,"events":[{"id":"A54ACDB9-6612-54E7-9B00-07B3A3F4BE42","type":"Redeploy","source":"Platform",` +
			`"not_before":1600,"description":"The node is cordoned: pods are to leave it."}]}`)

		other := who
		other.audience = "other"
		wantStatus(s.T, s.ask(s.request(other.sign(s.T), http.MethodGet, issuerapi.EventsPath, "")), http.StatusUnauthorized)
	})
}

func TestEventsWithoutANode(t *testing.T) {
	onStage(t, newWorld(func(w *world) { w.node = nil }), func(s *stage) {
		recorder := s.ask(s.request(ordersPod().sign(s.T), http.MethodGet, issuerapi.EventsPath, ""))
		wantStatus(s.T, recorder, http.StatusServiceUnavailable)
	})
}
