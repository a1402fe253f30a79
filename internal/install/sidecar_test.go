package install

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestIsInjected(t *testing.T) {
	t.Parallel()
	container := []corev1.Container{{Name: SidecarName}}
	for name, test := range map[string]struct {
		spec corev1.PodSpec
		want bool
	}{
		"with the sidecar":                  {corev1.PodSpec{InitContainers: container}, true},
		"without":                           {corev1.PodSpec{InitContainers: []corev1.Container{{Name: "first"}}}, false},
		"with a container of the same name": {corev1.PodSpec{Containers: container}, false},
	} {
		if got := IsInjected(&corev1.Pod{Spec: test.spec}); got != test.want {
			t.Errorf("a pod %s is injected: %t", name, got)
		}
	}
}
