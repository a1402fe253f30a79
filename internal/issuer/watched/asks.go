package watched

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// Asks reports whether a pod can ask the issuer for anything: it holds a token for it, and has not ended. That is the volume
// that the webhook adds, for it is what the kubelet goes by, and nobody can add or remove it later, as they can annotations.
func Asks(pod *corev1.Pod) bool {
	return workload.HoldsToken(pod, issuerapi.Audience) && directory.CheckRuns(pod) == nil
}
