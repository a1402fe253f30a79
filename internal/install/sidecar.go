package install

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// SidecarName is the name of the sidecar's container. No other container of an injected pod may have it.
const SidecarName = "kube-imds"

// IsInjected reports whether a pod has the sidecar.
func IsInjected(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(container corev1.Container) bool { return container.Name == SidecarName })
}
