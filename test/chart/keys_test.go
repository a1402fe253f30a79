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

// Only the signer's token can read and publish keys; a stolen token of another part cannot.
func testOnlyTheSignerHasKeys(t *testing.T, server apiServer) {
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

// There is no API by which a node could publish a key.
func testKeysCannotBeRegistered(t *testing.T, server apiServer) {
	key := &unstructured.Unstructured{}
	key.SetGroupVersionKind(schema.GroupVersionKind{Group: "kube-imds.io", Version: "v1alpha1", Kind: "SigningKey"})
	key.SetName("forged")
	resource, err := server.RESTMapper().RESTMappings(key.GroupVersionKind().GroupKind())
	if err == nil {
		t.Errorf("the API server has resource %v", resource)
	}
	if err := server.as(t, account("issuer")).Create(t.Context(), key); err == nil {
		t.Error("an issuer can register a key")
	}
}

// want checks whether a right is granted.
func want(t *testing.T, what string, allowed bool, err error) {
	t.Helper()
	if got := !apierrors.IsForbidden(err); got != allowed {
		t.Errorf("%s: %t, want %t (%v)", what, got, allowed, err)
	}
}

// account returns the user of a part's ServiceAccount.
func account(part string) rest.ImpersonationConfig {
	return rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":kube-imds-" + part,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
}
