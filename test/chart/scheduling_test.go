package chart

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// Where there is a control plane that takes pods, the controller is there and not next to pods of users; elsewhere it runs
// as well.
func TestControllerRunsOnTheControlPlaneWhereItMay(t *testing.T) {
	t.Parallel()
	const label = "node-role.kubernetes.io/control-plane"
	pod := podsOf(t, render(t))["Deployment/kube-imds-controller"].Spec
	if !slices.Contains(pod.Tolerations, corev1.Toleration{Key: label, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}) {
		t.Errorf("it tolerates %v", pod.Tolerations)
	}
	affinity := pod.Affinity.NodeAffinity
	if affinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		t.Error("it runs nowhere else")
	}
	preferred := affinity.PreferredDuringSchedulingIgnoredDuringExecution
	if len(preferred) != 1 || preferred[0].Preference.MatchExpressions[0].Key != label {
		t.Errorf("it prefers %v", preferred)
	}
	elsewhere := podsOf(t, render(t, "controller.affinity=null", "controller.tolerations=[]"))["Deployment/kube-imds-controller"].Spec
	if elsewhere.Affinity != nil || elsewhere.Tolerations != nil {
		t.Error("it cannot be told to run elsewhere")
	}
}
