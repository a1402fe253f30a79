package disruption

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// reasonEviction is the reason of the condition DisruptionTarget where the eviction API was used, as drains do. The
// client library has no name for it, nor for the next.
const (
	reasonEviction     = "EvictionByEvictionAPI"
	reasonTaintManager = "DeletionByTaintManager"
)

// disruptions are the reasons for which Kubernetes ends a pod that nobody deleted: the reason of its condition
// DisruptionTarget, and the event that it is.
var disruptions = map[string]Event{
	corev1.PodReasonPreemptionByScheduler: {Type: Preempt, Description: "The pod makes room for a pod of higher priority."},
	reasonEviction:                        {Type: Redeploy, Description: "The pod is evicted from its node."},
	reasonTaintManager:                    {Type: Redeploy, Description: "The pod does not tolerate a taint of its node."},
	corev1.PodReasonTerminationByKubelet:  {Type: Terminate, Description: "The node ends the pod: it lacks a resource, or shuts down."},
}

// otherDisruption is what a reason means that is not listed, such as DeletionByPodGC.
var otherDisruption = Event{Type: Terminate, Description: "Kubernetes ends the pod."}

// deletion is what it means that a pod is deleted without a reason.
var deletion = Event{Type: Terminate, Source: User, Description: "The pod is deleted."}

// podEvent is what the pod itself says of its end, and since when; nil where it says nothing. The moment at which its
// time to end gracefully is over is the one before which it need not end.
func podEvent(pod *corev1.Pod) (event *Event, began time.Time) {
	if condition := disruptionTarget(pod); condition != nil {
		found, known := disruptions[condition.Reason]
		if !known {
			found = otherDisruption
		}
		found.Source, began = Platform, condition.LastTransitionTime.Time
		// The condition comes a moment before the deletion. The kubelet never deletes what it ends.
		found.NotBefore = began
		event = &found
	} else if pod.DeletionTimestamp != nil {
		// A pod is deleted once only, so there is no telling deletions apart by their time.
		found := deletion
		event = &found
	}
	if pod.DeletionTimestamp != nil {
		event.NotBefore = pod.DeletionTimestamp.Time
	}
	return event, began
}

func disruptionTarget(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		condition := &pod.Status.Conditions[i]
		if condition.Type == corev1.DisruptionTarget && condition.Status == corev1.ConditionTrue {
			return condition
		}
	}
	return nil
}
