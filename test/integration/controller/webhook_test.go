package controller

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// The API server finds the webhook by the chart's configuration, and trusts it by the bundle that the controller wrote there.
func TestPodsAreInjectedByTheChartsConfiguration(t *testing.T) {
	t.Parallel()
	s := start(t)
	identity := build.NewIdentity("injected").Admitting("default", "default").ManagedIdentity
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "default"}}
	s.create(t, identity, account)
	s.eventuallyResolved(t, identity)
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}}
	s.eventually(t, configuration, func() string { return "" })

	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Annotations: map[string]string{v1alpha1.IdentityAnnotation: identity.Name}},
		Spec: corev1.PodSpec{
			ServiceAccountName: account.Name, Containers: []corev1.Container{{Name: "app", Image: "app"}},
		},
	}
	for _, hook := range configuration.Webhooks {
		response := s.review(t, hook.ClientConfig, pod)
		if !response.Allowed || !strings.Contains(string(response.Patch), sidecarImage) {
			t.Errorf("%s: allowed: %t (%v), patch %s", hook.Name, response.Allowed, response.Result, response.Patch)
		}
	}
}

func TestObjectsAreValidatedByTheChartsConfiguration(t *testing.T) {
	t.Parallel()
	s := start(t)
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}}
	s.eventually(t, configuration, func() string { return "" })
	objects := map[string]runtime.Object{
		"managedidentities.kube-imds.io": build.NewIdentity("reviewed").ManagedIdentity,
		"identitybindings.kube-imds.io":  build.NewBinding("default", "reviewed").Of("default").To("missing").IdentityBinding,
	}
	for _, hook := range configuration.Webhooks {
		response := s.review(t, hook.ClientConfig, objects[hook.Name])
		if !response.Allowed || len(response.Warnings) == 0 {
			t.Errorf("%s: allowed: %t (%v), warnings %q", hook.Name, response.Allowed, response.Result, response.Warnings)
		}
	}
}

// review calls a webhook as the API server does.
func (s *system) review(t *testing.T, config admissionregistrationv1.WebhookClientConfig, object runtime.Object) *admissionv1.AdmissionResponse {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: types.UID("review"), Namespace: "default", Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: raw},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(config.CABundle)
	url := "https://" + config.Service.Name + "." + config.Service.Namespace + ".svc" + *config.Service.Path
	answer, err := send(t, s.controller.webhook, authorities, http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.body, &review); err != nil || review.Response == nil {
		t.Fatalf("%d %s: %v", answer.status, answer.body, err)
	}
	return review.Response
}
