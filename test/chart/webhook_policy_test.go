package chart

import (
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A thief of the controller's token can neither redirect the webhooks nor change what they see.
func testControllerChangesOnlyCertificateAndPathOfItsWebhooks(t *testing.T, server apiServer) {
	controller := server.as(t, serviceAccount("controller"))
	eventually(t, "the policy takes effect", func() bool {
		return apierrors.IsForbidden(patchWebhooks(t, controller, server, func(hooks *hooks) { hooks.mutating.Webhooks = nil }, client.DryRunAll))
	})
	const another = "and nothing else"
	for name, test := range map[string]struct {
		change  func(*hooks)
		refusal string
	}{
		"the certificate and the path": {func(h *hooks) {
			for i := range h.mutating.Webhooks {
				h.mutating.Webhooks[i].ClientConfig.CABundle = []byte("certificate")
				h.mutating.Webhooks[i].ClientConfig.Service.Path = new("/secret/pods")
			}
			for i := range h.validating.Webhooks {
				h.validating.Webhooks[i].ClientConfig.CABundle = []byte("certificate")
				h.validating.Webhooks[i].ClientConfig.Service.Path = new("/secret/pods")
			}
		}, ""},
		"nothing":         {func(*hooks) {}, ""},
		"another Service": {func(h *hooks) { h.mutating.Webhooks[0].ClientConfig.Service.Name = "evil" }, another},
		"a Service of another namespace": {func(h *hooks) {
			h.mutating.Webhooks[1].ClientConfig.Service.Namespace = "evil"
		}, another},
		"another port": {func(h *hooks) { h.validating.Webhooks[0].ClientConfig.Service.Port = new(int32(8443)) }, another},
		"an address outside": {func(h *hooks) {
			h.validating.Webhooks[1].ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: new("https://evil.example/")}
		}, another},
		"every resource": {func(h *hooks) {
			h.mutating.Webhooks[0].Rules[0].APIGroups, h.mutating.Webhooks[0].Rules[0].Resources = []string{"*"}, []string{"*"}
		}, another},
		"one rule more": {func(h *hooks) {
			h.validating.Webhooks[0].Rules = append(h.validating.Webhooks[0].Rules, h.mutating.Webhooks[0].Rules[0])
		}, another},
		"every pod":         {func(h *hooks) { h.mutating.Webhooks[0].MatchConditions = nil }, another},
		"another condition": {func(h *hooks) { h.mutating.Webhooks[1].MatchConditions[0].Expression = "true" }, another},
		"every namespace":   {func(h *hooks) { h.mutating.Webhooks[1].NamespaceSelector = &metav1.LabelSelector{} }, another},
		"no objects":        {func(h *hooks) { h.mutating.Webhooks[1].ObjectSelector.MatchLabels = map[string]string{"no": "pod"} }, another},
		"fail open":         {func(h *hooks) { h.mutating.Webhooks[0].FailurePolicy = new(admissionregistrationv1.Ignore) }, another},
		"no reinvocation": {func(h *hooks) {
			h.mutating.Webhooks[0].ReinvocationPolicy = new(admissionregistrationv1.NeverReinvocationPolicy)
		}, another},
		"shorter timeout": {func(h *hooks) { h.validating.Webhooks[0].TimeoutSeconds = new(int32(1)) }, another},
		"another name":    {func(h *hooks) { h.validating.Webhooks[0].Name = "others.kube-imds.io" }, another},
		"one webhook more": {func(h *hooks) {
			one := *h.mutating.Webhooks[0].DeepCopy()
			one.Name = "secrets.kube-imds.io"
			h.mutating.Webhooks = append(h.mutating.Webhooks, one)
		}, "neither adds nor removes"},
		"one webhook less": {func(h *hooks) { h.validating.Webhooks = h.validating.Webhooks[:1] }, "neither adds nor removes"},
		"owner references": {func(h *hooks) {
			h.mutating.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Namespace", Name: "gone", UID: "gone"}}
		}, "does not change the metadata"},
		"labels": {func(h *hooks) { h.validating.Labels = nil }, "does not change the metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			err := patchWebhooks(t, controller, server, test.change)
			switch {
			case test.refusal == "" && err != nil:
				t.Error("refused:", err)
			case test.refusal != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), test.refusal)):
				t.Errorf("got error %v, want forbidden because the controller %s", err, test.refusal)
			}
		})
	}
}

func testControllerHasNoOtherWebhooks(t *testing.T, server apiServer) {
	controller := server.as(t, serviceAccount("controller"))
	others := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "others"}}
	if err := controller.Create(t.Context(), others.DeepCopy()); !apierrors.IsForbidden(err) {
		t.Error("create another one:", err)
	}
	create(t, server, others)
	others.Labels = map[string]string{"changed": "true"}
	if err := controller.Patch(t.Context(), others, client.Merge); !apierrors.IsForbidden(err) {
		t.Error("change another one:", err)
	}
	if err := controller.Delete(t.Context(), others); !apierrors.IsForbidden(err) {
		t.Error("delete another one:", err)
	}
}

// hooks holds the configurations of the chart's webhooks.
type hooks struct {
	mutating   admissionregistrationv1.MutatingWebhookConfiguration
	validating admissionregistrationv1.ValidatingWebhookConfiguration
}

// patchWebhooks changes the chart's webhooks as a user. An administrator reads them.
func patchWebhooks(t *testing.T, user client.Client, server apiServer, change func(*hooks), options ...client.PatchOption) error {
	t.Helper()
	var before hooks
	get(t, server, client.ObjectKey{Name: release}, &before.mutating)
	get(t, server, client.ObjectKey{Name: release}, &before.validating)
	after := hooks{*before.mutating.DeepCopy(), *before.validating.DeepCopy()}
	change(&after)
	if err := user.Patch(t.Context(), &after.mutating, client.MergeFrom(&before.mutating), options...); err != nil {
		return err
	}
	return user.Patch(t.Context(), &after.validating, client.MergeFrom(&before.validating), options...)
}

// serviceAccount returns the user of a part's token.
func serviceAccount(part string) rest.ImpersonationConfig {
	return rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":kube-imds-" + part,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
}
