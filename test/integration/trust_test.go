package integration

import (
	"bytes"
	"context"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/internal/pki/authority"
)

func TestTrustIsPublishedAndRestored(t *testing.T) {
	needController(t)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: caKey.Namespace, Name: caKey.Name}}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}}
	bundle := awaitTrust(t, config, mutating, validating)

	change(t, config, func(config *corev1.ConfigMap) { config.Data[authority.BundleKey] = "overwritten" })
	awaitTrust(t, config, mutating, validating)
	change(t, config, func(config *corev1.ConfigMap) { config.Data = nil })
	awaitTrust(t, config, mutating, validating)
	change(t, mutating, func(mutating *admissionregistrationv1.MutatingWebhookConfiguration) {
		mutating.Webhooks[1].ClientConfig.CABundle = nil
	})
	awaitTrust(t, config, mutating, validating)
	change(t, validating, func(validating *admissionregistrationv1.ValidatingWebhookConfiguration) {
		validating.Webhooks[0].ClientConfig.CABundle = nil
	})
	if got := awaitTrust(t, config, mutating, validating); !bytes.Equal(got, bundle) {
		t.Error("the authority changed")
	}

	for _, hook := range mutating.Webhooks {
		if hook.ClientConfig.Service == nil || len(hook.Rules) == 0 || len(hook.MatchConditions) == 0 {
			t.Errorf("%s lost what the chart wrote", hook.Name)
		}
	}
	for _, hook := range validating.Webhooks {
		if hook.ClientConfig.Service == nil || len(hook.Rules) == 0 {
			t.Errorf("%s lost what the chart wrote", hook.Name)
		}
	}
}

// A new authority is trusted everywhere, and signs.
func TestTrustFollowsTheAuthority(t *testing.T) {
	controller := needController(t)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: caKey.Namespace, Name: caKey.Name}}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}}
	before := awaitTrust(t, config, mutating, validating)

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: caKey.Namespace, Name: caKey.Name}}
	change(t, secret, func(secret *corev1.Secret) { secret.Data = nil })
	eventually(t, func(ctx context.Context) string {
		if bytes.Equal(controller.trust.Bundle(ctx), before) {
			return "the authority is the old one"
		}
		return ""
	})
	after := awaitTrust(t, config, mutating, validating)
	if bytes.Equal(before, after) {
		t.Error("the old authority is trusted")
	}
	eventually(t, func(context.Context) string { return verifies(controller.serving, after) })
}

// awaitTrust waits until the authority's certificate is published everywhere, and returns it.
func awaitTrust(t *testing.T, config *corev1.ConfigMap, mutating *admissionregistrationv1.MutatingWebhookConfiguration, validating *admissionregistrationv1.ValidatingWebhookConfiguration) []byte {
	t.Helper()
	var bundle []byte
	eventually(t, func(_ context.Context) string {
		secret := get(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: caKey.Namespace, Name: caKey.Name}})
		bundle = secret.Data[authority.BundleKey]
		if len(bundle) == 0 {
			return "there is no authority"
		}
		if get(t, config).Data[authority.BundleKey] != string(bundle) {
			return "the ConfigMap has another certificate"
		}
		for _, hook := range get(t, mutating).Webhooks {
			if !bytes.Equal(hook.ClientConfig.CABundle, bundle) {
				return hook.Name + " has another certificate"
			}
		}
		for _, hook := range get(t, validating).Webhooks {
			if !bytes.Equal(hook.ClientConfig.CABundle, bundle) {
				return hook.Name + " has another certificate"
			}
		}
		return ""
	})
	return bundle
}
