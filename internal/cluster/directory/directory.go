// Package directory looks up pods and their grants in memory.
package directory

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// Directory looks up pods and their grants. It costs the API server nothing.
type Directory struct {
	Source

	// Changes wakes waiters when something changes that a pod depends on.
	Changes *Changes
}

// Changed returns a channel that is closed at the next change of what a pod depends on.
func (d *Directory) Changed(podUID string) <-chan struct{} { return d.Changes.Of(podUID) }

// Account returns the metadata of a pod's ServiceAccount.
func (d *Directory) Account(ctx context.Context, pod *corev1.Pod) (*metav1.PartialObjectMetadata, error) {
	account, err := d.ServiceAccount(ctx, pod.Namespace, pod.Spec.ServiceAccountName)
	if err == nil && account == nil {
		return nil, failure.Denied(failure.ReasonUnauthenticated, grant.ErrNoServiceAccount.Error())
	}
	return account, err
}

// Grant returns what a pod may have. The ServiceAccount must have the UID that the pod's token names; "" stands for a pod
// without a token. A missing ServiceAccount or namespace is a temporary failure while watches may lag behind the pod.
func (d *Directory) Grant(ctx context.Context, pod *corev1.Pod, accountUID string, now time.Time) (grant.Grant, error) {
	decided, err := grant.Load(ctx, d.Source, pod, accountUID)
	missing := errors.Is(err, grant.ErrNoServiceAccount) || errors.Is(err, grant.ErrNoNamespace)
	switch {
	case missing && MayLag(pod, now):
		return decided, failure.NotNow("the pod's ServiceAccount or namespace is not known yet")
	case errors.Is(err, grant.ErrNoNamespace):
		return decided, failure.Denied(failure.ReasonUnknownPod, err.Error())
	case missing, errors.Is(err, grant.ErrOtherServiceAccount):
		return decided, failure.Denied(failure.ReasonUnauthenticated, err.Error())
	}
	return decided, err
}

// MaxLag is how long a watch may lag behind what was created with a pod: as long as it waits between attempts to reach an API
// server that was away.
const MaxLag = time.Minute

// MayLag reports whether watches may lag behind a pod.
func MayLag(pod *corev1.Pod, now time.Time) bool { return now.Sub(pod.CreationTimestamp.Time) < MaxLag }

// CheckPod returns an error for a pod that has ended or is not the one that its token names.
func CheckPod(pod *corev1.Pod, found workload.Workload) error {
	if pod.Namespace != found.Namespace || pod.Spec.ServiceAccountName != found.ServiceAccount.Name {
		return failure.Denied(failure.ReasonUnknownPod, "the pod has another namespace or ServiceAccount than its token")
	}
	return CheckRuns(pod)
}

// Asks reports whether a pod can ask an issuer: it has the webhook's volume with a token, and it has not ended. Unlike annotations
// the volume cannot be added or removed later.
func Asks(pod *corev1.Pod) bool {
	return workload.HoldsToken(pod, issuerapi.Audience) && CheckRuns(pod) == nil
}

// CheckRuns returns an error for a pod that has ended.
func CheckRuns(pod *corev1.Pod) error {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return failure.Denied(failure.ReasonUnknownPod, "the pod has ended")
	}
	return nil
}
