package webhook

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

var trusting = annotated(v1alpha1.TrustAnnotation, "true")

func TestTrustWarnings(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	withVariablesFrom := func(pod *corev1.Pod) { pod.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{}} }
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want []string
	}{
		"no variables": {newPod("orders", trusting), nil},
		"not asked":    {newPod("orders", withVariables("SSL_CERT_DIR", "/certs"), withVariablesFrom), nil},
		"false":        {newPod("orders", annotated(v1alpha1.TrustAnnotation, "false")), nil},
		"another value": {newPod("orders", annotated(v1alpha1.TrustAnnotation, "yes")), []string{
			`kube-imds: the annotation kube-imds.io/trust-ca is "yes": want "true" or "false"`}},
		"two variables": {newPod("orders", trusting, withVariables("SSL_CERT_DIR", "/certs", "OTHER", "x", "JAVA_TOOL_OPTIONS", "-Xmx1g")), []string{
			"kube-imds: what the pod sets stays as it is, and need not lead to the installation's authority: " +
				"SSL_CERT_DIR of container app, JAVA_TOOL_OPTIONS of container app"}},
		"a variable from a ConfigMap": {newPod("orders", trusting, withVariableFrom("REQUESTS_CA_BUNDLE")), []string{
			"kube-imds: what the pod sets stays as it is, and need not lead to the installation's authority: REQUESTS_CA_BUNDLE of container app"}},
		"variables that nobody sees": {newPod("orders", trusting, withVariablesFrom), []string{
			"kube-imds: SSL_CERT_DIR, NODE_EXTRA_CA_CERTS, REQUESTS_CA_BUNDLE and JAVA_TOOL_OPTIONS take precedence over the envFrom of container app: " +
				"set those that it has in its env instead"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := admit(t, m, test.pod)
			if !response.Allowed {
				t.Fatalf("pod is denied: %v", response.Result)
			}
			if diff := cmp.Diff(test.want, slices.Clone(response.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			// What the first admission added is not the pod's own.
			again := admit(t, m, injectedPod(t, m, test.pod))
			if diff := cmp.Diff(test.want, slices.Clone(again.Warnings)); diff != "" {
				t.Errorf("warnings of the second admission (-want +got):\n%s", diff)
			}
		})
	}
}

// What an earlier admission added is not warned about, and goes when the annotation does.
func TestTrustIsWithdrawn(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	plain := injectedPod(t, m, newPod("orders", withVariables("SSL_CERT_DIR", "/certs")))
	trusted := injectedPod(t, m, newPod("orders", withVariables("SSL_CERT_DIR", "/certs"), trusting))
	if len(trusted.Spec.Volumes) != len(plain.Spec.Volumes)+1 {
		t.Errorf("volumes = %v", trusted.Spec.Volumes)
	}
	delete(trusted.Annotations, v1alpha1.TrustAnnotation)
	withdrawn := injectedPod(t, m, trusted)
	if diff := cmp.Diff(text(t, plain), text(t, withdrawn)); diff != "" {
		t.Errorf("without the annotation (-want +got):\n%s", diff)
	}
}

func text(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	content, err := json.MarshalIndent(pod, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestTrustVolumesNameIsReserved(t *testing.T) {
	t.Parallel()
	checkDenied(t, newMutator(t, shop()...), newPod("orders", withVolume(corev1.Volume{Name: trustVolumeName, VolumeSource: corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{},
	}})), `kube-imds: volume name "kube-imds-trust" is reserved; rename it`)
}
