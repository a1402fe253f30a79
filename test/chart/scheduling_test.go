package chart

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// The controller runs on a control plane that accepts pods, apart from pods of users; elsewhere it runs
// on any node.
func TestControllerPrefersTheControlPlane(t *testing.T) {
	t.Parallel()
	const label = "node-role.kubernetes.io/control-plane"
	pod := podsOf(t, render(t))["Deployment/kube-imds-controller"].Spec
	if !slices.Contains(pod.Tolerations, corev1.Toleration{Key: label, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}) {
		t.Errorf("tolerations = %v", pod.Tolerations)
	}
	affinity := pod.Affinity.NodeAffinity
	if affinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		t.Error("it requires the control plane")
	}
	preferred := affinity.PreferredDuringSchedulingIgnoredDuringExecution
	if len(preferred) != 1 || preferred[0].Preference.MatchExpressions[0].Key != label {
		t.Errorf("preferred = %v", preferred)
	}
	elsewhere := podsOf(t, render(t, "controller.affinity=null", "controller.tolerations=[]"))["Deployment/kube-imds-controller"].Spec
	if elsewhere.Affinity != nil || elsewhere.Tolerations != nil {
		t.Error("values cannot change its nodes")
	}
}
