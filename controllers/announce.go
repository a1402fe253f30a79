package controllers

import (
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// announce creates an event for a changed condition: a warning if it is False. A condition that is True from the start is what everybody
// expects, and says so itself: an event for each object would be half of what the controller writes in a large cluster.
func announce(recorder events.EventRecorder, object runtime.Object, before []metav1.Condition, condition metav1.Condition) {
	last := apimeta.FindStatusCondition(before, condition.Type)
	isExpected := last == nil && condition.Status == metav1.ConditionTrue
	isKnown := last != nil && last.Status == condition.Status && last.Reason == condition.Reason && last.Message == condition.Message
	if isExpected || isKnown {
		return
	}
	kind := corev1.EventTypeNormal
	if condition.Status == metav1.ConditionFalse {
		kind = corev1.EventTypeWarning
	}
	recorder.Eventf(object, nil, kind, condition.Reason, "Reconcile", "%s", condition.Message)
}
