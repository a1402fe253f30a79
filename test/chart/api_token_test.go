package chart

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// The tokens that Kubernetes mounts by default are valid for a year if the API server extends them, as it does by default.
func TestTokensOfTheAPIServerAreShort(t *testing.T) {
	t.Parallel()
	const longest = 3600
	for name, pod := range podsOf(t, render(t)) {
		if mounts := pod.Spec.AutomountServiceAccountToken; name != "Job/kube-imds-test" && (mounts == nil || *mounts) {
			t.Errorf("%s mounts Kubernetes' default token", name)
		}
		tokens := 0
		for _, volume := range pod.Spec.Volumes {
			if volume.Projected == nil {
				continue
			}
			for _, source := range volume.Projected.Sources {
				if token := source.ServiceAccountToken; token != nil {
					tokens++
					if token.ExpirationSeconds == nil || *token.ExpirationSeconds > longest {
						t.Errorf("%s has a token valid for longer than an hour", name)
					}
				}
			}
		}
		if name != "Job/kube-imds-test" && (tokens == 0 || !mountsAPI(pod.Spec)) {
			t.Errorf("%s has no token where clients look for one", name)
		}
	}
}

func mountsAPI(pod corev1.PodSpec) bool {
	for _, container := range pod.Containers {
		for _, mount := range container.VolumeMounts {
			if mount.MountPath == "/var/run/secrets/kubernetes.io/serviceaccount" && mount.ReadOnly {
				return true
			}
		}
	}
	return false
}
