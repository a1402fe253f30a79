package disruption

import (
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// noon is when everything begins.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// scene is a pod and its node.
type scene struct {
	pod  corev1.Pod
	node corev1.Node
}

func newScene(changes ...func(*scene)) *scene {
	s := &scene{pod: corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "02aab8a4-74ef-476e-8182-f6d2ba4166a6"}}}
	for _, change := range changes {
		change(s)
	}
	return s
}

func (s *scene) event() *Event { return Of(&s.pod, &s.node) }

// deleted deletes the pod, which has until then to end.
func deleted(until time.Time) func(*scene) {
	return func(s *scene) { s.pod.DeletionTimestamp = new(metav1.NewTime(until)) }
}

// disrupted gives the pod the condition DisruptionTarget.
func disrupted(reason string, since time.Time) func(*scene) {
	return condition(corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, LastTransitionTime: metav1.NewTime(since),
	})
}

func condition(c corev1.PodCondition) func(*scene) {
	return func(s *scene) { s.pod.Status.Conditions = append(s.pod.Status.Conditions, c) }
}

func tainted(key string, effect corev1.TaintEffect, since time.Time) func(*scene) {
	return func(s *scene) {
		s.node.Spec.Taints = append(s.node.Spec.Taints, corev1.Taint{Key: key, Value: "v", Effect: effect, TimeAdded: new(metav1.NewTime(since))})
	}
}

func cordoned(since time.Time) func(*scene) {
	return tainted("node.kubernetes.io/unschedulable", corev1.TaintEffectNoSchedule, since)
}

func tolerating(tolerations ...corev1.Toleration) func(*scene) {
	return func(s *scene) { s.pod.Spec.Tolerations = tolerations }
}

func TestOf(t *testing.T) {
	t.Parallel()
	const (
		noSchedule = corev1.TaintEffectNoSchedule
		noExecute  = corev1.TaintEffectNoExecute
		notReady   = "node.kubernetes.io/not-ready"
		cordon     = "node.kubernetes.io/unschedulable"
	)
	all := corev1.Toleration{Operator: corev1.TolerationOpExists}
	forSeconds := func(key string, seconds int64) corev1.Toleration {
		return corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, TolerationSeconds: &seconds}
	}
	redeploy := func(notBefore time.Time) *Event {
		return &Event{Type: Redeploy, Source: Platform, NotBefore: notBefore}
	}
	for name, test := range map[string]struct {
		given *scene
		want  *Event
	}{
		"nothing": {newScene(), nil},

		"a deletion":              {newScene(deleted(noon)), &Event{Type: Terminate, Source: User, NotBefore: noon}},
		"a preemption":            {newScene(disrupted("PreemptionByScheduler", noon), deleted(noon.Add(30*time.Second))), &Event{Type: Preempt, Source: Platform, NotBefore: noon.Add(30 * time.Second)}},
		"an eviction":             {newScene(disrupted("EvictionByEvictionAPI", noon), deleted(noon.Add(time.Minute))), redeploy(noon.Add(time.Minute))},
		"one that only begins":    {newScene(disrupted("EvictionByEvictionAPI", noon)), redeploy(noon)},
		"the taint manager's":     {newScene(disrupted("DeletionByTaintManager", noon), deleted(noon)), redeploy(noon)},
		"the kubelet's":           {newScene(disrupted("TerminationByKubelet", noon)), &Event{Type: Terminate, Source: Platform, NotBefore: noon}},
		"the garbage collector's": {newScene(disrupted("DeletionByPodGC", noon), deleted(noon)), &Event{Type: Terminate, Source: Platform, NotBefore: noon}},
		"a disruption that did not come": {newScene(condition(corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionFalse, Reason: "EvictionByEvictionAPI",
		})), nil},
		"another condition": {newScene(condition(corev1.PodCondition{
			Type: corev1.PodReady, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI",
		})), nil},

		"a cordon":                            {newScene(cordoned(noon)), redeploy(noon.Add(notice))},
		"a cordon that is tolerated":          {newScene(cordoned(noon), tolerating(corev1.Toleration{Key: cordon, Operator: corev1.TolerationOpExists, Effect: noSchedule})), nil},
		"a toleration of another effect":      {newScene(cordoned(noon), tolerating(corev1.Toleration{Key: cordon, Operator: corev1.TolerationOpExists, Effect: noExecute})), redeploy(noon.Add(notice))},
		"seconds mean nothing for a cordon":   {newScene(cordoned(noon), tolerating(forSeconds(cordon, 5))), nil},
		"the cluster autoscaler":              {newScene(tainted("ToBeDeletedByClusterAutoscaler", noSchedule, noon)), redeploy(noon.Add(notice))},
		"Karpenter":                           {newScene(tainted("karpenter.sh/disrupted", noSchedule, noon)), redeploy(noon.Add(notice))},
		"out of service":                      {newScene(tainted("node.kubernetes.io/out-of-service", noSchedule, noon)), redeploy(noon.Add(notice))},
		"out of service, at once":             {newScene(tainted("node.kubernetes.io/out-of-service", noExecute, noon)), redeploy(noon)},
		"a taint that only keeps pods away":   {newScene(tainted("gpu", noSchedule, noon)), nil},
		"a taint that rather keeps them away": {newScene(tainted("gpu", corev1.TaintEffectPreferNoSchedule, noon)), nil},
		"a taint that ends pods":              {newScene(tainted("gpu", noExecute, noon)), redeploy(noon)},
		"one that is tolerated":               {newScene(tainted("gpu", noExecute, noon), tolerating(all)), nil},
		"one of another value": {newScene(tainted("gpu", noExecute, noon), tolerating(corev1.Toleration{
			Key: "gpu", Operator: corev1.TolerationOpEqual, Value: "w"})), redeploy(noon)},
		"a node that is not ready":         {newScene(tainted(notReady, noExecute, noon), tolerating(forSeconds(notReady, 300))), redeploy(noon.Add(300 * time.Second))},
		"no time at all":                   {newScene(tainted(notReady, noExecute, noon), tolerating(forSeconds(notReady, -1))), redeploy(noon)},
		"time without end, almost":         {newScene(tainted(notReady, noExecute, noon), tolerating(forSeconds(notReady, 1<<60))), redeploy(noon.Add((1<<31 - 1) * time.Second))},
		"the first toleration counts":      {newScene(tainted(notReady, noExecute, noon), tolerating(all, forSeconds(notReady, 300))), nil},
		"the soonest of two taints counts": {newScene(cordoned(noon), tainted(notReady, noExecute, noon.Add(time.Minute))), redeploy(noon.Add(time.Minute))},

		"a drain":                            {newScene(cordoned(noon), disrupted("EvictionByEvictionAPI", noon.Add(time.Minute)), deleted(noon.Add(2*time.Minute))), redeploy(noon.Add(2 * time.Minute))},
		"a deletion on a node to be drained": {newScene(cordoned(noon), deleted(noon.Add(time.Minute))), &Event{Type: Terminate, Source: User, NotBefore: noon.Add(time.Minute)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := test.given.event()
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(Event{}, "ID", "Description")); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
			if got != nil && (!eventID.MatchString(got.ID) || got.Description == "") {
				t.Errorf("the event lacks an ID or a description: %+v", got)
			}
		})
	}
}

// eventID is what IDs look like.
var eventID = regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-5[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$`)

func TestDrainIsOneEvent(t *testing.T) {
	t.Parallel()
	drain := newScene(cordoned(noon))
	want := drain.event().ID
	for _, step := range []struct {
		name   string
		change func(*scene)
	}{
		{"removed by the autoscaler", tainted("ToBeDeletedByClusterAutoscaler", corev1.TaintEffectNoSchedule, noon.Add(time.Second))},
		{"evicted", disrupted("EvictionByEvictionAPI", noon.Add(time.Minute))},
		{"deleted", deleted(noon.Add(2 * time.Minute))},
		{"deleted with less grace", deleted(noon.Add(time.Minute))},
	} {
		step.change(drain)
		if got := drain.event().ID; got != want {
			t.Errorf("%s, the event has another ID: %s, want %s", step.name, got, want)
		}
	}
}

// A node that is uncordoned while a pod on it takes its time to end changes nothing for a pod that was not evicted.
func TestDeletionIsTheSameEventOnACordonedNode(t *testing.T) {
	t.Parallel()
	if one, other := newScene(deleted(noon)), newScene(deleted(noon), cordoned(noon)); one.event().ID != other.event().ID {
		t.Errorf("a deletion is the event %s, and %s on a cordoned node", one.event().ID, other.event().ID)
	}
}

func TestOtherEventsHaveOtherIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, other := range map[string]*scene{
		"a cordon":           newScene(cordoned(noon)),
		"a later cordon":     newScene(cordoned(noon.Add(time.Hour))),
		"an eviction":        newScene(disrupted("EvictionByEvictionAPI", noon.Add(time.Minute))),
		"a preemption":       newScene(disrupted("PreemptionByScheduler", noon)),
		"a deletion":         newScene(deleted(noon)),
		"another pod's":      newScene(deleted(noon), func(s *scene) { s.pod.UID = "c7061bac-afdc-4513-b24b-aa5f13a16123" }),
		"one by the kubelet": newScene(disrupted("TerminationByKubelet", noon)),
	} {
		id := other.event().ID
		if seen[id] != "" {
			t.Errorf("%s has the ID of %s", name, seen[id])
		}
		seen[id] = name
	}
}

func TestDescriptionSaysTheSoonestCause(t *testing.T) {
	t.Parallel()
	s := newScene(cordoned(noon))
	if got := s.event().Description; got != "The node is cordoned: pods are to leave it." {
		t.Errorf("the description is %q", got)
	}
	tainted("node.kubernetes.io/not-ready", corev1.TaintEffectNoExecute, noon.Add(time.Minute))(s)
	if got := s.event().Description; got != "The node has the taint node.kubernetes.io/not-ready, which ends the pod." {
		t.Errorf("the description is %q", got)
	}
	disrupted("EvictionByEvictionAPI", noon.Add(2*time.Minute))(s)
	if got := s.event().Description; got != "The pod is evicted from its node." {
		t.Errorf("the description is %q", got)
	}
}
