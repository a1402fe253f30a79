package webhook

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestOnlyTheSidecarMountsTheToken(t *testing.T) {
	t.Parallel()
	mounting := func(volume string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			container := &pod.Spec.Containers[0]
			container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: "/token"})
		}
	}
	inInit := func(pod *corev1.Pod) {
		pod.Spec.InitContainers = []corev1.Container{{Name: "init", VolumeMounts: []corev1.VolumeMount{{Name: tokenVolumeName}}}}
	}
	for name, test := range map[string]struct {
		pod    *corev1.Pod
		denied string
	}{
		"not mounted":              {newPod("orders"), ""},
		"container":                {newPod("orders", mounting(tokenVolumeName)), "container app mounts the volume kube-imds-token"},
		"container, volume exists": {newPod("orders", mounting(tokenVolumeName), withVolume(ownParts{}.tokenVolume())), "container app mounts"},
		"init container":           {newPod("orders", inInit), "container init mounts"},
		"another volume":           {newPod("orders", withVolume(corev1.Volume{Name: "mine"}), mounting("mine")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMutator(t, shop()...)
			response := admit(t, m, test.pod)
			if response.Allowed != (test.denied == "") || !response.Allowed && !strings.Contains(response.Result.Message, test.denied) {
				t.Errorf("allowed: %t, result %v", response.Allowed, response.Result)
			}
		})
	}
	// A sidecar of an earlier admission is allowed.
	m := newMutator(t, shop()...)
	injectedPod(t, m, injectedPod(t, m, newPod("orders")))
}

func TestSharedProcessNamespaceGetsAWarning(t *testing.T) {
	t.Parallel()
	for shared, want := range map[*bool]int{nil: 0, new(false): 0, new(true): 1} {
		response := admit(t, newMutator(t, shop()...), newPod("orders", func(pod *corev1.Pod) { pod.Spec.ShareProcessNamespace = shared }))
		if !response.Allowed || len(response.Warnings) != want {
			t.Errorf("allowed: %t, warnings %q", response.Allowed, response.Warnings)
		}
	}
}
