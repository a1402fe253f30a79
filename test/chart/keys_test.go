package chart

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A stolen token of any other part reads no key and publishes none: only the signer's does.
func testKeysAreTheSignersAlone(t *testing.T, server apiServer) {
	signingKeys, published := client.ObjectKey{Namespace: namespace, Name: "kube-imds-signing-keys"}, client.ObjectKey{Namespace: namespace, Name: "kube-imds-keys"}
	for part, may := range map[string]struct{ secret, read, write bool }{
		"signer":     {secret: true, read: true, write: true},
		"oidc":       {read: true},
		"issuer":     {read: true},
		"controller": {},
	} {
		t.Run(part, func(t *testing.T) {
			as := server.as(t, account(part))
			secret := &corev1.Secret{}
			want(t, "reads the signing keys", may.secret, as.Get(t.Context(), signingKeys, secret))
			secret.Namespace, secret.Name = signingKeys.Namespace, signingKeys.Name
			want(t, "writes the signing keys", may.secret, as.Update(t.Context(), secret, client.DryRunAll))
			want(t, "lists all Secrets", false, as.List(t.Context(), &corev1.SecretList{}, client.InNamespace(namespace)))
			want(t, "removes the signing keys", false, as.Delete(t.Context(), secret, client.DryRunAll))
			want(t, "reads what is published", may.read, as.List(t.Context(), &corev1.ConfigMapList{},
				client.InNamespace(published.Namespace), client.MatchingFields{"metadata.name": published.Name}))
			config := &corev1.ConfigMap{}
			config.Namespace, config.Name = published.Namespace, published.Name
			want(t, "publishes", may.write, as.Update(t.Context(), config, client.DryRunAll))
		})
	}
}

// There is no API left by which a node could make a key known.
func testThereAreNoKeysToRegister(t *testing.T, server apiServer) {
	key := &unstructured.Unstructured{}
	key.SetGroupVersionKind(schema.GroupVersionKind{Group: "kube-imds.io", Version: "v1alpha1", Kind: "SigningKey"})
	key.SetName("forged")
	resource, err := server.RESTMapper().RESTMappings(key.GroupVersionKind().GroupKind())
	if err == nil {
		t.Errorf("the API server knows of %v", resource)
	}
	if err := server.as(t, account("issuer")).Create(t.Context(), key); err == nil {
		t.Error("an issuer registers a key")
	}
}

// want tells of a right that somebody has and should not have, or the other way.
func want(t *testing.T, what string, allowed bool, err error) {
	t.Helper()
	if got := !apierrors.IsForbidden(err); got != allowed {
		t.Errorf("%s: %t, not %t (%v)", what, got, allowed, err)
	}
}

// account returns the ServiceAccount of a part.
func account(part string) rest.ImpersonationConfig {
	return rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":kube-imds-" + part,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
}
