package disruption

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// reasonEviction is the reason of the condition DisruptionTarget after the eviction API was used, as by drains. The client
// library has no constant for it and the next one.
const (
	reasonEviction     = "EvictionByEvictionAPI"
	reasonTaintManager = "DeletionByTaintManager"
)

// disruptions maps reasons of the condition DisruptionTarget, for which Kubernetes ends a pod that no user deleted, to
// events.
var disruptions = map[string]Event{
	corev1.PodReasonPreemptionByScheduler: {Type: Preempt, Description: "The pod makes room for a pod of higher priority."},
	reasonEviction:                        {Type: Redeploy, Description: "The pod is evicted from its node."},
	reasonTaintManager:                    {Type: Redeploy, Description: "The pod does not tolerate a taint of its node."},
	corev1.PodReasonTerminationByKubelet:  {Type: Terminate, Description: "The node ends the pod: it lacks a resource, or shuts down."},
}

// otherDisruption is the event of other reasons, such as DeletionByPodGC.
var otherDisruption = Event{Type: Terminate, Description: "Kubernetes ends the pod."}

// deletion is the event of a deletion without a reason.
var deletion = Event{Type: Terminate, Source: User, Description: "The pod is deleted."}

// podEvent returns what the pod itself says of its end, and since when; nil if it says nothing. NotBefore is the end of its
// grace period.
func podEvent(pod *corev1.Pod) (event *Event, began time.Time) {
	if condition := disruptionTarget(pod); condition != nil {
		found, known := disruptions[condition.Reason]
		if !known {
			found = otherDisruption
		}
		found.Source, began = Platform, condition.LastTransitionTime.Time
		// The condition is set a moment before the deletion. The kubelet never deletes the pods that it ends.
		found.NotBefore = began
		event = &found
	} else if pod.DeletionTimestamp != nil {
		// A pod is deleted once, so the time need not tell deletions apart.
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
