package watched

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// Asks reports whether a pod can ask the issuer: it has the webhook's volume with a token, and it has not ended. Unlike
// annotations the volume cannot be added or removed later.
func Asks(pod *corev1.Pod) bool {
	return workload.HoldsToken(pod, issuerapi.Audience) && directory.CheckRuns(pod) == nil
}
