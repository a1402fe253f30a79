package install

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// SidecarName is the name of the sidecar's container. It is reserved in injected pods.
const SidecarName = "kube-imds"

// IsInjected reports whether a pod has the sidecar.
func IsInjected(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(container corev1.Container) bool { return container.Name == SidecarName })
}

// Restricted returns the security context that Pod Security's restricted profile demands, with some capabilities added.
func Restricted(capabilities ...corev1.Capability) *corev1.SecurityContext {
	return &corev1.SecurityContext{
		RunAsNonRoot:             new(true),
		RunAsUser:                new(int64(65532)),
		RunAsGroup:               new(int64(65532)),
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: capabilities},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}
