package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// testWebhookAnswersTheAPIServerAlone sends the webhook, from a pod of one namespace, the API server's review of a pod
// of another: to learn that pod's grant, and to write a line about another user to the audit log.
func testWebhookAnswersTheAPIServerAlone(t *testing.T, c *cluster) {
	victim := c.namespace(t)
	identity := c.identity(t, victim+"-victim", victim)
	evil := c.start(t, newProbePod(c, c.namespace(t), "evil", "wait").trusting(c.authorities(t)))

	review := forgedReview(t, victim, identity.Name)
	for _, path := range []string{"/", "/pods", "/namespaces", "/mutate-pods", "/" + strings.Repeat("a", 52) + "/pods"} {
		a, err := c.get(t.Context(), evil, "--method", "POST", "--header", "Content-Type: application/json", "--body", review,
			"https://"+release+"-webhook."+namespace+".svc"+path)
		must(t, err, "send the webhook a request")
		if a.Status != 404 || strings.Contains(a.Body, identity.Name) {
			t.Errorf("%s: got %+v", path, a)
		}
	}
	if logs := c.controllerLogs(t); strings.Contains(logs, forgedUser) {
		t.Error("audit line about the forged user")
	}
	// The API server is answered.
	c.granted(t, c.start(t, newProbePod(c, victim, "victim", "wait").withIdentity(identity.Name)), "https://vault.azure.net")
}

// forgedUser is the user in the forged review.
const forgedUser = "forged-user"

func forgedReview(t *testing.T, home, identity string) string {
	t.Helper()
	pod, err := json.Marshal(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "forged", Annotations: map[string]string{v1alpha1.IdentityAnnotation: identity}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	})
	must(t, err, "write the pod")
	review, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "forged", Namespace: home, Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: pod},
			UserInfo: authenticationv1.UserInfo{Username: forgedUser},
		},
	})
	must(t, err, "write the review")
	return string(review)
}

// controllerLogs returns the logs of all controllers.
func (c *cluster) controllerLogs(t *testing.T) string {
	t.Helper()
	var pods corev1.PodList
	must(t, c.List(t.Context(), &pods, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/component": "controller"}),
		"list the controllers")
	if len(pods.Items) == 0 {
		t.Fatal("no controllers")
	}
	var all strings.Builder
	for _, pod := range pods.Items {
		text, err := c.kube.CoreV1().Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
		must(t, err, "read the log of %s", pod.Name)
		all.Write(text)
	}
	return all.String()
}

// testDebuggersKeepOutOfTheSidecar adds debuggers to a pod that mount the sidecar's token or join its processes.
func testDebuggersKeepOutOfTheSidecar(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-debugged", home)
	pod := c.start(t, newProbePod(c, home, "debugged", "wait").withIdentity(identity.Name))
	debugger := func(change func(*corev1.EphemeralContainer)) error {
		var now corev1.Pod
		must(t, c.Get(t.Context(), client.ObjectKeyFromObject(pod), &now), "read the pod")
		container := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debugger", Image: now.Spec.Containers[0].Image, Command: now.Spec.Containers[0].Command, Args: now.Spec.Containers[0].Args,
		}}
		change(&container)
		now.Spec.EphemeralContainers = []corev1.EphemeralContainer{container}
		return c.SubResource("ephemeralcontainers").Update(t.Context(), &now)
	}
	err := debugger(func(container *corev1.EphemeralContainer) {
		container.VolumeMounts = []corev1.VolumeMount{{Name: "kube-imds-token", MountPath: "/token"}}
	})
	if err == nil || !strings.Contains(err.Error(), "an ephemeral container mounts the token") {
		t.Errorf("a debugger may mount the token: %v", err)
	}
	err = debugger(func(container *corev1.EphemeralContainer) { container.TargetContainerName = "kube-imds" })
	if err == nil || !strings.Contains(err.Error(), "shares the processes of the sidecar") {
		t.Errorf("a debugger may join the sidecar: %v", err)
	}
	if err := debugger(func(*corev1.EphemeralContainer) {}); err != nil {
		t.Errorf("a debugger of the application is refused: %v", err)
	}
}
