package webhook

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// variablesOf returns the sidecar's variables in a pod that a mutator with these options injects.
func variablesOf(t *testing.T, change func(*Options)) map[string]string {
	t.Helper()
	m := newMutator(t, shop()...)
	change(&m.options)
	pod := injectedPod(t, m, newPod("orders"))
	i := slices.IndexFunc(pod.Spec.InitContainers, func(container corev1.Container) bool { return container.Name == sidecarName })
	if i < 0 {
		t.Fatal("the pod has no sidecar")
	}
	variables := map[string]string{}
	for _, variable := range pod.Spec.InitContainers[i].Env {
		variables[variable.Name] = variable.Value
	}
	return variables
}

func TestLogLevelOfTheSidecar(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]string{"": "", "info": "", "debug": "debug", "error": "error"} {
		got, set := variablesOf(t, func(options *Options) { options.SidecarLogLevel = level })["KUBE_IMDS_LOG_LEVEL"]
		if got != want || set != (want != "") {
			t.Errorf("level %q: sidecar gets %q (%t)", level, got, set)
		}
	}
}

func TestLimitsOfTheSidecar(t *testing.T) {
	t.Parallel()
	for limits, want := range map[bool]string{false: "", true: "azure"} {
		got, set := variablesOf(t, func(options *Options) { options.AzureLimits = limits })["KUBE_IMDS_LIMITS"]
		if got != want || set != limits {
			t.Errorf("limits %t: sidecar gets %q (%t)", limits, got, set)
		}
	}
}
