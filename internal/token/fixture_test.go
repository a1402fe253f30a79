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

// noon is when the tests begin. It is a whole second, as times in objects are.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock stands still until it is moved.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func (c *clock) advance(by time.Duration) { c.now = c.now.Add(by) }

// twoKeys are made once for all tests that only read them: making a key takes long.
var twoKeys = sync.OnceValues(func() ([2]*Key, error) {
	var keys [2]*Key
	for i := range keys {
		var err error
		if keys[i], err = NewKey(noon, validity); err != nil {
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

func registration(key *Key) v1alpha1.SigningKey { return *key.Registration("node-1", "node-uid") }

// orders is an identity whose IDs are resolved.
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
