package chart

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Only the sidecar may mount its token: no other container of the pod, and no ephemeral container.
func testOnlyTheSidecarMountsItsToken(t *testing.T, server apiServer) {
	token := corev1.VolumeMount{Name: "kube-imds-token", MountPath: "/token"}
	eventually(t, "the policy takes effect", func() bool {
		pod := newInjectedPod("early")
		pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{token}
		return apierrors.IsForbidden(server.Create(t.Context(), pod, client.DryRunAll))
	})

	for name, test := range map[string]struct {
		change  func(*corev1.Pod)
		refusal string
	}{
		"none":        {func(*corev1.Pod) {}, ""},
		"a container": {func(pod *corev1.Pod) { pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{token} }, "a container mounts"},
		"an init container": {func(pod *corev1.Pod) {
			pod.Spec.InitContainers = append(pod.Spec.InitContainers,
				corev1.Container{Name: "init", Image: "init", VolumeMounts: []corev1.VolumeMount{token}})
		}, "a container mounts"},
		"a container of a pod without a sidecar": {func(pod *corev1.Pod) {
			pod.Spec.InitContainers = nil
			pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{token}
		}, ""},
	} {
		t.Run("made with "+name, func(t *testing.T) {
			pod := newInjectedPod("made")
			test.change(pod)
			wantRefusal(t, server.Create(t.Context(), pod, client.DryRunAll), test.refusal)
		})
	}

	i := 0
	for name, test := range map[string]struct {
		debugger corev1.EphemeralContainer
		refusal  string
	}{
		"a debugger": {debugger("app"), ""},
		"one that mounts the token": {corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debugger", Image: "debugger", VolumeMounts: []corev1.VolumeMount{token},
		}}, "an ephemeral container mounts"},
		"one in the sidecar's processes": {debugger("kube-imds"), "shares the processes of the sidecar"},
	} {
		i++
		t.Run("debugged by "+name, func(t *testing.T) {
			pod := newInjectedPod(fmt.Sprint("debugged-", i))
			create(t, server, pod)
			pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{test.debugger}
			wantRefusal(t, server.SubResource("ephemeralcontainers").Update(t.Context(), pod), test.refusal)
		})
	}
}

func wantRefusal(t *testing.T, err error, refusal string) {
	t.Helper()
	switch {
	case refusal == "" && err != nil:
		t.Error("refused:", err)
	case refusal != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), refusal)):
		t.Errorf("got error %v, want forbidden because %s", err, refusal)
	}
}

// newInjectedPod returns the parts of an injected pod that the policy reads.
func newInjectedPod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.PodSpec{
			ServiceAccountName: "default",
			InitContainers: []corev1.Container{{
				Name: "kube-imds", Image: "sidecar", RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
				VolumeMounts: []corev1.VolumeMount{{Name: "kube-imds-token", MountPath: "/var/run/secrets/kube-imds.io"}},
			}},
			Containers: []corev1.Container{{Name: "app", Image: "app"}},
			Volumes: []corev1.Volume{{Name: "kube-imds-token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
					Audience: "kube-imds.io/issuer", Path: "token",
				}}},
			}}}},
		},
	}
}

func debugger(target string) corev1.EphemeralContainer {
	return corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger", Image: "debugger"}, TargetContainerName: target,
	}
}
