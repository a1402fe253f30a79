package disruption

import (
	"math"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
)

// notice is how far ahead Azure announces a redeployment.
const notice = 10 * time.Minute

// announcements are the taints that announce, with any effect, that pods will leave the node, with the description of
// why. A cordon is the first step of a drain.
var announcements = map[string]string{
	corev1.TaintNodeUnschedulable:    "The node is cordoned: pods are to leave it.",
	corev1.TaintNodeOutOfService:     "The node is out of service.",
	"ToBeDeletedByClusterAutoscaler": "The cluster autoscaler removes the node.",
	"karpenter.sh/disrupted":         "Karpenter removes the node.",
}

// nodeEvent returns what the taints of its node mean for the pod, and since when; nil if they mean nothing. Several taints
// are one event, with the earliest beginning and the earliest end.
func nodeEvent(pod *corev1.Pod, node *corev1.Node) (event *Event, began time.Time) {
	for i := range node.Spec.Taints {
		taint := &node.Spec.Taints[i]
		end, ends := endOf(pod, taint)
		if !ends {
			continue
		}
		if added := timeAdded(taint); event == nil || added.Before(began) {
			began = added
		}
		if event == nil || end.Before(event.NotBefore) {
			event = &Event{Type: Redeploy, Source: Platform, NotBefore: end, Description: describe(taint)}
		}
	}
	return event, began
}

// endOf returns when a taint ends the pod, if it does.
func endOf(pod *corev1.Pod, taint *corev1.Taint) (end time.Time, ends bool) {
	added, toleration := timeAdded(taint), tolerationOf(pod, taint)
	_, announces := announcements[taint.Key]
	switch {
	case taint.Effect == corev1.TaintEffectNoExecute && toleration == nil:
		return added, true
	case taint.Effect == corev1.TaintEffectNoExecute && toleration.TolerationSeconds != nil:
		seconds := min(max(*toleration.TolerationSeconds, 0), math.MaxInt32)
		return added.Add(time.Duration(seconds) * time.Second), true
	case announces && toleration == nil:
		return added.Add(notice), true
	}
	return time.Time{}, false
}

// tolerationOf returns the first toleration that tolerates a taint, which is the one that Kubernetes uses.
func tolerationOf(pod *corev1.Pod, taint *corev1.Taint) *corev1.Toleration {
	for i := range pod.Spec.Tolerations {
		// A cluster without numeric comparison admits no toleration that uses it.
		if toleration := &pod.Spec.Tolerations[i]; toleration.ToleratesTaint(logr.Discard(), taint, true) {
			return toleration
		}
	}
	return nil
}

func timeAdded(taint *corev1.Taint) time.Time {
	if taint.TimeAdded == nil {
		return time.Time{}
	}
	return taint.TimeAdded.Time
}

func describe(taint *corev1.Taint) string {
	if announcement, found := announcements[taint.Key]; found {
		return announcement
	}
	return "The node has the taint " + taint.Key + ", which ends the pod."
}
