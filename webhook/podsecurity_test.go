package webhook

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/kube-imds/kube-imds/internal/install"
)

// A pod that meets Pod Security "restricted" meets it injected too, but for net-init's NET_ADMIN.
func TestPodSecurity(t *testing.T) {
	t.Parallel()
	restrictedPod := newPod("orders", func(pod *corev1.Pod) {
		pod.Spec.Containers[0].SecurityContext = install.Restricted()
	})
	if got := violations(t, restrictedPod); len(got) != 0 {
		t.Fatalf("the pod before injection violates %v", got)
	}
	pod := injectedPod(t, newMutator(t, shop()...), restrictedPod)
	want := []string{`container "kube-imds-net-init" must not include "NET_ADMIN" in securityContext.capabilities.add`}
	if diff := cmp.Diff(want, violations(t, pod)); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
	pod.Spec.InitContainers[0].SecurityContext.Capabilities.Add = nil
	if got := violations(t, pod); len(got) != 0 {
		t.Errorf("without NET_ADMIN, the pod violates %v", got)
	}
}

// violations returns a pod's violations of the latest "restricted" profile.
func violations(t *testing.T, pod *corev1.Pod) []string {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed && !slices.Contains(all, result.ForbiddenDetail) {
			all = append(all, result.ForbiddenDetail)
		}
	}
	return all
}
