package directory

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// Youth is how long after a pod's start a cache may not have heard yet of what was made with it: as long as a watch waits
// before it tries again to reach an API server that was away.
const Youth = time.Minute

// IsYoung tells whether what a pod hangs on may not be known yet.
func IsYoung(pod *corev1.Pod, now time.Time) bool { return now.Sub(pod.CreationTimestamp.Time) < Youth }

// CheckPod refuses a pod that is not what its token says, or that has ended.
func CheckPod(pod *corev1.Pod, found workload.Workload) error {
	if pod.Namespace != found.Namespace || pod.Spec.ServiceAccountName != found.ServiceAccount.Name {
		return reply.Forbidden(reply.ReasonUnknownPod, "the pod has another namespace or ServiceAccount than its token")
	}
	return CheckRuns(pod)
}

// CheckRuns refuses a pod that has ended.
func CheckRuns(pod *corev1.Pod) error {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return reply.Forbidden(reply.ReasonUnknownPod, "the pod has ended")
	}
	return nil
}

// GrantYoung is Grant, which says of a young pod whose ServiceAccount or namespace is missing that it may not be known yet.
func (d *Directory) GrantYoung(ctx context.Context, pod *corev1.Pod, serviceAccountUID string, now time.Time) (grant.Grant, error) {
	decided, err := d.Grant(ctx, pod, serviceAccountUID)
	if IsYoung(pod, now) && (errors.Is(err, errNoAccount) || errors.Is(err, errNoNamespace)) {
		err = reply.Unavailable("the pod's ServiceAccount or namespace is not known yet")
	}
	return decided, err
}
