package issuer

import (
	"encoding/json"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// testDrainIsTold checks that the API server's eviction after a cordon is the event that the cordon announced.
func testDrainIsTold(t *testing.T, i *issuerProcess) {
	pod := i.newHome(t).newPod(t, "drained", "node-1")
	bearer := i.bearer(t, pod)
	i.waitEvent(t, bearer, "", "", 0)

	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}
	taint := func(patch string) {
		must(t, i.Patch(t.Context(), node, client.RawPatch("application/merge-patch+json", []byte(patch))), "taint the node")
	}
	taint(`{"spec":{"taints":[{"key":"node.kubernetes.io/unschedulable","effect":"NoSchedule","timeAdded":"2026-03-01T12:00:00Z"}]}}`)
	cordon := i.waitEvent(t, bearer, "Redeploy", "Platform", 1772366400+600)

	must(t, i.kube.PolicyV1().Evictions(pod.Namespace).Evict(t.Context(), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
	}), "evict the pod")
	must(t, i.Get(t.Context(), client.ObjectKeyFromObject(pod), pod), "get the pod")
	if evicted := i.waitEvent(t, bearer, "Redeploy", "Platform", pod.DeletionTimestamp.Unix()); evicted.ID != cordon.ID {
		t.Errorf("event ID of the eviction = %s, want the cordon's, %s", evicted.ID, cordon.ID)
	}
	taint(`{"spec":{"taints":null}}`)
}

func testDeletionIsTold(t *testing.T, i *issuerProcess) {
	pod := i.newHome(t).newPod(t, "deleted", "node-1")
	bearer := i.bearer(t, pod)
	must(t, i.Delete(t.Context(), pod), "delete the pod")
	must(t, i.Get(t.Context(), client.ObjectKeyFromObject(pod), pod), "get the pod, which no kubelet ends")
	i.waitEvent(t, bearer, "Terminate", "User", pod.DeletionTimestamp.Unix())
}

// waitEvent waits for a pod's event of a type and source with a time; or until there is none, if the type is "".
func (i *issuerProcess) waitEvent(t *testing.T, bearer, kind, source string, notBefore int64) (event issuerapi.Event) {
	t.Helper()
	eventually(t, "the issuer tells of the event", func() error {
		a := i.get(t, bearer, issuerapi.EventsPath)
		var answer issuerapi.Events
		if err := json.Unmarshal([]byte(a.body), &answer); err != nil {
			return fmt.Errorf("read %d %s: %w", a.status, a.body, err)
		}
		event = issuerapi.Event{}
		if len(answer.Events) > 0 {
			event = answer.Events[0]
		}
		if a.status != 200 || event.Type != kind || event.Source != source || event.NotBefore != notBefore {
			return fmt.Errorf("got %d %s", a.status, a.body)
		}
		return nil
	})
	return event
}
