package controller

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// guessedPaths are paths that an attacker may try who has read the chart, of this version or an earlier one.
var guessedPaths = []string{
	"/", "/pods", "/namespaces", "/managedidentities", "/identitybindings", "/mutate-pods",
	"/validate-kube-imds-io-v1alpha1-managedidentity", "/validate-kube-imds-io-v1alpha1-identitybinding",
	"/" + strings.Repeat("a", 52) + "/pods",
}

// Any pod reaches the webhook's port. It must not learn another namespace's grants,
// write to the audit log, or cause reads.
func TestUnauthenticatedRequestsGet404(t *testing.T) {
	t.Parallel()
	s := start(t)
	identity := build.NewIdentity("of-another-namespace").Admitting("default", "default").ManagedIdentity
	s.create(t, identity)
	s.eventuallyResolved(t, identity)
	body := reviewBody(t, "forged-user", "default", &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "forged", Annotations: map[string]string{v1alpha1.IdentityAnnotation: identity.Name}},
		Spec:       corev1.PodSpec{ServiceAccountName: "default", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	})
	for _, path := range guessedPaths {
		got, err := send(t, s.controller.webhook, s.authorities(t), http.MethodPost, webhookURL+path, body)
		if err != nil || got.status != http.StatusNotFound || bytes.Contains(got.body, []byte("patch")) {
			t.Errorf("%s: got %d %s, error %v", path, got.status, got.body, err)
		}
	}
	if strings.Contains(s.controller.log(), "forged-user") {
		t.Error("unexpected audit line")
	}
}

// If the API server cannot reach the webhook, its error tells the pod's user the webhook's path. Such a path soon
// expires: here, once its time is set to long ago.
func TestPathsAreRenewed(t *testing.T) {
	s := start(t)
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}}
	s.eventually(t, configuration, func() string { return "" })
	betrayed := configuration.DeepCopy()
	for _, name := range []string{"no longer used", "no longer valid"} {
		before := *configuration.Webhooks[0].ClientConfig.Service.Path
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: release + "-ca"}}
		s.eventually(t, secret, func() string { return "" })
		fields := strings.Fields(string(secret.Data[capability.SecretKey]))
		fields[3] = "2000-01-01T00:00:00Z"
		secret.Data[capability.SecretKey] = []byte(strings.Join(fields, " "))
		if err := s.Update(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		s.eventually(t, configuration, func() string {
			if *configuration.Webhooks[0].ClientConfig.Service.Path == before {
				return "the path is " + name
			}
			return ""
		})
		// An API server that does not know the new path yet is admitted for one more period.
		for _, hook := range configuration.Webhooks {
			if response := s.review(t, hook.ClientConfig, &corev1.Pod{}); response == nil {
				t.Errorf("%s does not answer", hook.Name)
			}
		}
		if name == "in use no more" {
			s.review(t, betrayed.Webhooks[0].ClientConfig, &corev1.Pod{})
		}
	}
	path := *betrayed.Webhooks[0].ClientConfig.Service.Path
	until(t, "what was betrayed is good no more", func() bool {
		got, err := send(t, s.controller.webhook, s.authorities(t), http.MethodPost, webhookURL+path, nil)
		return err == nil && got.status == http.StatusNotFound
	})
}

const webhookURL = "https://kube-imds-webhook.kube-imds-system.svc"

// reviewBody returns the API server's review of a user's pod.
func reviewBody(t *testing.T, user, namespace string, pod *corev1.Pod) []byte {
	t.Helper()
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "review", Namespace: namespace, Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: raw},
			UserInfo: authenticationv1.UserInfo{Username: user},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}
