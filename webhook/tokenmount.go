package webhook

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// denyTokenMounts reserves the volume with the issuer's token for the sidecar. The chart's policy does the same for
// containers that are added later (templates/webhook/policy.yaml).
func denyTokenMounts(pod *corev1.Pod) *denial {
	for container := range ownContainers(pod) {
		if slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool { return mount.Name == tokenVolumeName }) {
			return &denial{"TokenMounted", fmt.Sprintf(
				"container %s mounts the volume %s, whose token is the sidecar's alone: ask 169.254.169.254 for tokens instead",
				container.Name, tokenVolumeName)}
		}
	}
	return nil
}

// warnSharedProcesses warns about containers that see the sidecar's files and memory.
func warnSharedProcesses(pod *corev1.Pod) string {
	if shared := pod.Spec.ShareProcessNamespace; shared == nil || !*shared {
		return ""
	}
	return "with shareProcessNamespace, a container that may trace other processes, or runs as user 65532 while the sidecar starts, " +
		"can read the token with which the pod authenticates to the issuer"
}
