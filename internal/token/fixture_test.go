package token

import (
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

const (
	baseURL = "https://kube-imds-oidc.kube-imds.svc"
	tenant  = "11111111-2222-4333-8444-555555555555"
)

// noon is the start of tests. It is a whole second, like times in objects.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// twoKeys are made once for all tests that only read them: making a key takes long.
var twoKeys = sync.OnceValues(func() ([2]*Key, error) {
	var keys [2]*Key
	for i := range keys {
		private, err := GenerateKey()
		if err != nil {
			return keys, err
		}
		if keys[i], err = NewKey(private); err != nil {
			return keys, err
		}
	}
	return keys, nil
})

func keys(t *testing.T) (one, other *Key) {
	t.Helper()
	both, err := twoKeys()
	if err != nil {
		t.Fatal(err)
	}
	return both[0], both[1]
}

// of returns a request for a token without a pod.
func of(identity *v1alpha1.ManagedIdentity, resource string) Request {
	return Request{Identity: identity, Resource: resource}
}

// orders returns an identity whose IDs are resolved.
func orders() *v1alpha1.ManagedIdentity {
	return &v1alpha1.ManagedIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: "orders"},
		Status: v1alpha1.ManagedIdentityStatus{
			TenantID: tenant, ClientID: "the-client", PrincipalID: "the-principal", ResourceID: "/subscriptions/s/the/identity",
		},
	}
}

func lasting(lifetime time.Duration) *v1alpha1.ManagedIdentity {
	identity := orders()
	identity.Spec.TokenLifetime = &metav1.Duration{Duration: lifetime}
	return identity
}

func systemAssigned() *v1alpha1.ManagedIdentity {
	identity := orders()
	identity.Spec.Type = v1alpha1.SystemAssigned
	return identity
}

func withResourceID(identity *v1alpha1.ManagedIdentity, id string) *v1alpha1.ManagedIdentity {
	identity.Status.ResourceID = id
	return identity
}
