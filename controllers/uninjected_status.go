package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/uninjected"
)

// injectionStatus is the part of a status that says whether pods have IMDS.
type injectionStatus struct {
	conditions     *[]metav1.Condition
	uninjectedPods **int32
	generation     int64
}

// set takes over what is known of some ServiceAccounts. It leaves the status as it is until all are counted, and clears it where
// nothing is counted.
func (s injectionStatus) set(counts *uninjected.Counts, accounts []types.NamespacedName) {
	if counts == nil {
		*s.uninjectedPods = nil
		apimeta.RemoveStatusCondition(s.conditions, v1alpha1.ConditionPodsInjected)
		return
	}
	if report := counts.Report(accounts); report != nil {
		*s.uninjectedPods = new(int32(report.Pods))
		apimeta.SetStatusCondition(s.conditions, report.Condition(s.generation))
	}
}

// announceInjection creates an event when pods without IMDS appear, and when the last of them has gone.
func announceInjection(recorder events.EventRecorder, object runtime.Object, before, after []metav1.Condition) {
	isFalse := apimeta.IsStatusConditionFalse(after, v1alpha1.ConditionPodsInjected)
	if isFalse == apimeta.IsStatusConditionFalse(before, v1alpha1.ConditionPodsInjected) {
		return
	}
	condition := apimeta.FindStatusCondition(after, v1alpha1.ConditionPodsInjected)
	if condition == nil {
		return
	}
	kind := corev1.EventTypeNormal
	if isFalse {
		kind = corev1.EventTypeWarning
	}
	recorder.Eventf(object, nil, kind, condition.Reason, "Reconcile", "%s", condition.Message)
}

// recounted is a source of the objects that are affected when a ServiceAccount's pods have been counted.
func recounted(counts *uninjected.Counts, affected func(context.Context, types.NamespacedName) []ctrl.Request) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		counts.OnChange(func(account types.NamespacedName) {
			for _, request := range affected(ctx, account) {
				queue.Add(request)
			}
		})
		return nil
	})
}
