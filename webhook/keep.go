package webhook

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// keep preserves what the API server's admission plugins set on our container in an earlier run: AlwaysPullImages and
// ResourceQuota reject the pod without it, and do not set it again.
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

// withDefaults adds the resources that amounts lacks, such as ephemeral-storage from a LimitRange.
func withDefaults(amounts, defaults corev1.ResourceList) corev1.ResourceList {
	if len(defaults) == 0 {
		return amounts
	}
	all := maps.Clone(defaults)
	maps.Copy(all, amounts)
	return all
}
