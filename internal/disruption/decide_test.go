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

// noon is the start of all tests.
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

// deleted deletes the pod, which has to end until then.
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

		"a deletion":             {newScene(deleted(noon)), &Event{Type: Terminate, Source: User, NotBefore: noon}},
		"a preemption":           {newScene(disrupted("PreemptionByScheduler", noon), deleted(noon.Add(30*time.Second))), &Event{Type: Preempt, Source: Platform, NotBefore: noon.Add(30 * time.Second)}},
		"an eviction":            {newScene(disrupted("EvictionByEvictionAPI", noon), deleted(noon.Add(time.Minute))), redeploy(noon.Add(time.Minute))},
		"an eviction that began": {newScene(disrupted("EvictionByEvictionAPI", noon)), redeploy(noon)},
		"taint manager":          {newScene(disrupted("DeletionByTaintManager", noon), deleted(noon)), redeploy(noon)},
		"kubelet":                {newScene(disrupted("TerminationByKubelet", noon)), &Event{Type: Terminate, Source: Platform, NotBefore: noon}},
		"garbage collector":      {newScene(disrupted("DeletionByPodGC", noon), deleted(noon)), &Event{Type: Terminate, Source: Platform, NotBefore: noon}},
		"condition is false": {newScene(condition(corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionFalse, Reason: "EvictionByEvictionAPI",
		})), nil},
		"another condition": {newScene(condition(corev1.PodCondition{
			Type: corev1.PodReady, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI",
		})), nil},

		"a cordon":                           {newScene(cordoned(noon)), redeploy(noon.Add(notice))},
		"a cordon that is tolerated":         {newScene(cordoned(noon), tolerating(corev1.Toleration{Key: cordon, Operator: corev1.TolerationOpExists, Effect: noSchedule})), nil},
		"a toleration of another effect":     {newScene(cordoned(noon), tolerating(corev1.Toleration{Key: cordon, Operator: corev1.TolerationOpExists, Effect: noExecute})), redeploy(noon.Add(notice))},
		"toleration in seconds, of a cordon": {newScene(cordoned(noon), tolerating(forSeconds(cordon, 5))), nil},
		"the cluster autoscaler":             {newScene(tainted("ToBeDeletedByClusterAutoscaler", noSchedule, noon)), redeploy(noon.Add(notice))},
		"Karpenter":                          {newScene(tainted("karpenter.sh/disrupted", noSchedule, noon)), redeploy(noon.Add(notice))},
		"out of service":                     {newScene(tainted("node.kubernetes.io/out-of-service", noSchedule, noon)), redeploy(noon.Add(notice))},
		"out of service, at once":            {newScene(tainted("node.kubernetes.io/out-of-service", noExecute, noon)), redeploy(noon)},
		"NoSchedule taint":                   {newScene(tainted("gpu", noSchedule, noon)), nil},
		"PreferNoSchedule taint":             {newScene(tainted("gpu", corev1.TaintEffectPreferNoSchedule, noon)), nil},
		"NoExecute taint":                    {newScene(tainted("gpu", noExecute, noon)), redeploy(noon)},
		"tolerated taint":                    {newScene(tainted("gpu", noExecute, noon), tolerating(all)), nil},
		"toleration of another value": {newScene(tainted("gpu", noExecute, noon), tolerating(corev1.Toleration{
			Key: "gpu", Operator: corev1.TolerationOpEqual, Value: "w"})), redeploy(noon)},
		"not ready":               {newScene(tainted(notReady, noExecute, noon), tolerating(forSeconds(notReady, 300))), redeploy(noon.Add(300 * time.Second))},
		"tolerated for no time":   {newScene(tainted(notReady, noExecute, noon), tolerating(forSeconds(notReady, -1))), redeploy(noon)},
		"tolerated for 2^60 s":    {newScene(tainted(notReady, noExecute, noon), tolerating(forSeconds(notReady, 1<<60))), redeploy(noon.Add((1<<31 - 1) * time.Second))},
		"first toleration counts": {newScene(tainted(notReady, noExecute, noon), tolerating(all, forSeconds(notReady, 300))), nil},
		"soonest of two taints":   {newScene(cordoned(noon), tainted(notReady, noExecute, noon.Add(time.Minute))), redeploy(noon.Add(time.Minute))},

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
				t.Errorf("event has no ID or description: %+v", got)
			}
		})
	}
}

// eventID matches IDs of events.
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
			t.Errorf("%s: event ID = %s, want %s", step.name, got, want)
		}
	}
}

// Uncordoning a node while a deleted pod on it ends does not change the pod's event.
func TestDeletionIsTheSameEventOnACordonedNode(t *testing.T) {
	t.Parallel()
	if one, other := newScene(deleted(noon)), newScene(deleted(noon), cordoned(noon)); one.event().ID != other.event().ID {
		t.Errorf("event ID of a deletion = %s, on a cordoned node = %s", one.event().ID, other.event().ID)
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

func TestDescriptionNamesTheSoonestCause(t *testing.T) {
	t.Parallel()
	s := newScene(cordoned(noon))
	if got := s.event().Description; got != "The node is cordoned: pods are to leave it." {
		t.Errorf("description = %q", got)
	}
	tainted("node.kubernetes.io/not-ready", corev1.TaintEffectNoExecute, noon.Add(time.Minute))(s)
	if got := s.event().Description; got != "The node has the taint node.kubernetes.io/not-ready, which ends the pod." {
		t.Errorf("description = %q", got)
	}
	disrupted("EvictionByEvictionAPI", noon.Add(2*time.Minute))(s)
	if got := s.event().Description; got != "The pod is evicted from its node." {
		t.Errorf("description = %q", got)
	}
}
