package exposure

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// Raw is a container whose processes can send raw packets.
type Raw struct {
	Namespace, Pod, Node, Container string

	// Why says how the container got the capability.
	Why string
}

// The ways to get NET_RAW.
const (
	whyPrivileged = "it is privileged"
	whyAdded      = "it adds NET_RAW"
	whyKept       = "it does not drop NET_RAW, which runtimes give by default"
)

// RawContainers returns the containers of a pod that can send raw packets, without kube-imds' own.
func RawContainers(pod *corev1.Pod) []Raw {
	var found []Raw
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers, ephemeral(pod)) {
		if why := whyRaw(pod.Spec.SecurityContext, container.SecurityContext); why != "" {
			found = append(found, Raw{pod.Namespace, pod.Name, pod.Spec.NodeName, container.Name, why})
		}
	}
	return found
}

func ephemeral(pod *corev1.Pod) []corev1.Container {
	var containers []corev1.Container
	for _, container := range pod.Spec.EphemeralContainers {
		containers = append(containers, corev1.Container(container.EphemeralContainerCommon))
	}
	return containers
}

// whyRaw returns how a container has NET_RAW, or "".
func whyRaw(pod *corev1.PodSecurityContext, container *corev1.SecurityContext) string {
	if container == nil {
		container = &corev1.SecurityContext{}
	}
	if ptr.Deref(container.Privileged, false) {
		return whyPrivileged
	}
	var added, dropped []corev1.Capability
	if container.Capabilities != nil {
		added, dropped = container.Capabilities.Add, container.Capabilities.Drop
	}
	switch {
	case cannotGain(pod, container):
		return ""
	case names(added):
		return whyAdded
	case names(dropped):
		return ""
	}
	return whyKept
}

// cannotGain reports whether a container's processes are not root and cannot become it. Such processes have no capability,
// whichever the container adds: a file's capabilities and the set-user-ID bit do not count for them.
func cannotGain(pod *corev1.PodSecurityContext, container *corev1.SecurityContext) bool {
	user, nonRoot := container.RunAsUser, container.RunAsNonRoot
	if pod != nil {
		user, nonRoot = cmp.Or(user, pod.RunAsUser), cmp.Or(nonRoot, pod.RunAsNonRoot)
	}
	isRoot := !ptr.Deref(nonRoot, false) && ptr.Deref(user, 0) == 0
	return !isRoot && !ptr.Deref(container.AllowPrivilegeEscalation, true)
}

func names(capabilities []corev1.Capability) bool {
	return slices.ContainsFunc(capabilities, func(one corev1.Capability) bool { return one == "NET_RAW" || one == "ALL" })
}
