package webhook

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// keep leaves on a container of ours what the API server's own admission plugins have set on it since an earlier run:
// AlwaysPullImages and ResourceQuota refuse the pod if it is gone, and they do not set it again.
func (p plan) keep(container corev1.Container) corev1.Container {
	for _, earlier := range p.pod.Spec.InitContainers {
		if earlier.Name != container.Name {
			continue
		}
		if earlier.ImagePullPolicy == corev1.PullAlways {
			container.ImagePullPolicy = corev1.PullAlways
		}
		container.Resources.Requests = withDefaults(container.Resources.Requests, earlier.Resources.Requests)
		container.Resources.Limits = withDefaults(container.Resources.Limits, earlier.Resources.Limits)
	}
	return container
}

// withDefaults adds the resources that amounts does not name, such as ephemeral-storage by a LimitRange.
func withDefaults(amounts, defaults corev1.ResourceList) corev1.ResourceList {
	if len(defaults) == 0 {
		return amounts
	}
	all := maps.Clone(defaults)
	maps.Copy(all, amounts)
	return all
}
