package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// eventsDocument is the response of /metadata/scheduledevents.
type eventsDocument struct {
	DocumentIncarnation int64
	Events              []scheduledEvent
}

type scheduledEvent struct {
	EventID           string
	EventStatus       string
	EventType         string
	ResourceType      string
	Resources         []string
	NotBefore         string
	Description       string
	EventSource       string
	DurationInSeconds int
}

// testDrainIsToldAndAcknowledged drains a pod's node: the eviction is the event that the cordon announced.
func testDrainIsToldAndAcknowledged(t *testing.T, c *cluster) {
	pod := c.startLingering(t, "drained", c.nodes[0])
	before := c.waitEvents(t, pod, "there are no events", noEvents)

	c.cordon(t, pod.Spec.NodeName)
	first := c.waitEvents(t, pod, "the cordon is reported", oneEvent("Redeploy", "Scheduled"))
	announced := first.Events[0]
	if announced.EventSource != "Platform" || announced.DurationInSeconds != -1 || announced.ResourceType != "VirtualMachine" ||
		len(announced.Resources) != 1 || announced.Resources[0] != pod.Name || announced.Description == "" {
		t.Errorf("event = %+v", announced)
	}
	if left := time.Until(notBefore(t, announced)); left < 8*time.Minute || left > 10*time.Minute {
		t.Errorf("the event leaves the pod %s, want ten minutes", left)
	}
	if first.DocumentIncarnation <= before.DocumentIncarnation {
		t.Errorf("incarnation before = %d, after = %d", before.DocumentIncarnation, first.DocumentIncarnation)
	}

	c.uncordon(t, pod.Spec.NodeName)
	c.waitEvents(t, pod, "the event is gone with the cordon", noEvents)

	c.cordon(t, pod.Spec.NodeName)
	again := c.waitEvents(t, pod, "the next cordon is reported", oneEvent("Redeploy", "Scheduled")).Events[0]
	if again.EventID == announced.EventID {
		t.Errorf("two cordons have the same event %s", again.EventID)
	}
	c.acknowledge(t, pod, "00000000-0000-0000-0000-000000000000", http.StatusBadRequest)
	c.acknowledge(t, pod, again.EventID, http.StatusOK)
	started := c.waitEvents(t, pod, "the event has started", oneEvent("Redeploy", "Started")).Events[0]
	if started.EventID != again.EventID || started.NotBefore != "" {
		t.Errorf("acknowledged event = %+v", started)
	}

	must(t, c.kube.PolicyV1().Evictions(pod.Namespace).Evict(t.Context(), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
	}), "evict the pod")
	evicted := c.waitEvents(t, pod, "the eviction is reported", func(document eventsDocument) error {
		if err := oneEvent("Redeploy", "Started")(document); err != nil {
			return err
		}
		if document.Events[0].Description == started.Description {
			return fmt.Errorf("still the cordon's event: %+v", document)
		}
		return nil
	}).Events[0]
	if evicted.EventID != again.EventID {
		t.Errorf("event ID of the eviction = %s, want the cordon's, %s", evicted.EventID, again.EventID)
	}
}

// testDeletionIsTold deletes a pod with a long grace period.
func testDeletionIsTold(t *testing.T, c *cluster) {
	pod := c.startLingering(t, "deleted", c.nodes[1])
	must(t, c.Delete(t.Context(), pod), "delete the pod")
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(pod), pod), "get the pod, which is terminating")
	event := c.waitEvents(t, pod, "the deletion is reported", oneEvent("Terminate", "Scheduled")).Events[0]
	if end := notBefore(t, event); event.EventSource != "User" || !end.Equal(pod.DeletionTimestamp.Time) {
		t.Errorf("the pod may run until %s, event = %+v", pod.DeletionTimestamp, event)
	}
	var older eventsDocument
	c.imdsJSON(t, pod, "/metadata/scheduledevents?api-version=2017-08-01", &older)
	if len(older.Events) != 0 {
		t.Errorf("a version without Terminate has %+v", older.Events)
	}
}

// startLingering starts a pod with a long grace period. It is deleted by force when the test ends.
func (c *cluster) startLingering(t *testing.T, name, node string) *corev1.Pod {
	t.Helper()
	home := c.namespace(t)
	identity := c.identity(t, home+"-"+name, home)
	probe := newProbePod(c, home, name, "wait").withIdentity(identity.Name).onNode(node)
	probe.Spec.TerminationGracePeriodSeconds = new(int64(120))
	probe.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{
		PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 110}},
	}
	pod := c.start(t, probe)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err := c.Delete(ctx, pod, client.GracePeriodSeconds(0))
		must(t, client.IgnoreNotFound(err), "end the pod %s", name)
	})
	c.granted(t, pod, "https://vault.azure.net")
	return pod
}

// cordon keeps new pods from a node until it is uncordoned, or the test ends.
func (c *cluster) cordon(t *testing.T, node string) {
	t.Helper()
	t.Cleanup(func() { c.setUnschedulable(context.Background(), t, node, false) })
	c.setUnschedulable(t.Context(), t, node, true)
}

func (c *cluster) uncordon(t *testing.T, node string) {
	t.Helper()
	c.setUnschedulable(t.Context(), t, node, false)
}

func (c *cluster) setUnschedulable(ctx context.Context, t *testing.T, node string, unschedulable bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	patch := fmt.Sprintf(`{"spec":{"unschedulable":%t}}`, unschedulable)
	must(t, c.Patch(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}},
		client.RawPatch("application/merge-patch+json", []byte(patch))), "set the node %s unschedulable: %t", node, unschedulable)
}

// waitEvents waits until the pod's events meet a condition.
func (c *cluster) waitEvents(t *testing.T, pod *corev1.Pod, what string, condition func(eventsDocument) error) eventsDocument {
	t.Helper()
	var document eventsDocument
	eventually(t, time.Minute, what, func(ctx context.Context) error {
		a, err := c.get(ctx, pod, "--header", "Metadata: true", "http://169.254.169.254/metadata/scheduledevents?api-version=2020-07-01")
		if err != nil {
			return err
		}
		document = eventsDocument{}
		if err := json.Unmarshal([]byte(a.Body), &document); a.Status != http.StatusOK || err != nil {
			return fmt.Errorf("got %+v: %w", a, err)
		}
		return condition(document)
	})
	return document
}

func noEvents(document eventsDocument) error {
	if len(document.Events) > 0 {
		return fmt.Errorf("got %+v", document)
	}
	return nil
}

func oneEvent(kind, status string) func(eventsDocument) error {
	return func(document eventsDocument) error {
		if len(document.Events) != 1 || document.Events[0].EventType != kind || document.Events[0].EventStatus != status {
			return fmt.Errorf("got %+v", document)
		}
		return nil
	}
}

// acknowledge sends the request of Microsoft's samples.
func (c *cluster) acknowledge(t *testing.T, pod *corev1.Pod, id string, status int) {
	t.Helper()
	a, err := c.get(t.Context(), pod, "--method", "POST", "--header", "Metadata: true",
		"--header", "Content-Type: application/x-www-form-urlencoded", "--body", `{"StartRequests":[{"EventId":"`+id+`"}]}`,
		"http://169.254.169.254/metadata/scheduledevents?api-version=2020-07-01")
	must(t, err, "acknowledge the event %s", id)
	if a.Status != status {
		t.Errorf("acknowledgement of %s: got %+v", id, a)
	}
}

func notBefore(t *testing.T, event scheduledEvent) time.Time {
	t.Helper()
	at, err := time.Parse(http.TimeFormat, event.NotBefore)
	must(t, err, "read the time %q", event.NotBefore)
	return at
}
