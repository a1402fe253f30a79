package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// HoldsToken reports whether a pod has a volume with a token for an audience.
func HoldsToken(pod *corev1.Pod, audience string) bool {
	for i := range pod.Spec.Volumes {
		if IsToken(&pod.Spec.Volumes[i], audience) {
			return true
		}
	}
	return false
}

// IsToken reports whether a volume holds a token for an audience.
func IsToken(volume *corev1.Volume, audience string) bool {
	return volume.Projected != nil && slices.ContainsFunc(volume.Projected.Sources, func(source corev1.VolumeProjection) bool {
		return source.ServiceAccountToken != nil && source.ServiceAccountToken.Audience == audience
	})
}
