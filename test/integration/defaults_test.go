package integration

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestDefaultsOfIdentity(t *testing.T) {
	t.Parallel()
	needServer(t)
	want := v1alpha1.ManagedIdentitySpec{
		Type: v1alpha1.UserAssigned, TokenSource: v1alpha1.TokenSourceLocal, TokenLifetime: &metav1.Duration{Duration: time.Hour},
	}
	for name, spec := range map[string]string{"no spec": "null", "an empty spec": "{}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := object(t, "ManagedIdentity", "", "defaulted", spec)
			taken(t, made)
			var identity v1alpha1.ManagedIdentity
			convert(t, made, &identity)
			if diff := cmp.Diff(want, identity.Spec); diff != "" {
				t.Error("(-want +got)\n" + diff)
			}
		})
	}
}

func TestValidObjectIsAccepted(t *testing.T) {
	t.Parallel()
	needServer(t)
	for _, test := range []struct{ name, kind, namespace, spec string }{
		{"shortest lifetime", "ManagedIdentity", "", "tokenLifetime: 15m"},
		{"longest lifetime", "ManagedIdentity", "", "tokenLifetime: 24h"},
		{"a lifetime in Go's format", "ManagedIdentity", "", "tokenLifetime: 1h30m0s"},
		{"a lifetime with a fraction", "ManagedIdentity", "", "tokenLifetime: 1.5h"},
		{"a lifetime in milliseconds", "ManagedIdentity", "", "tokenLifetime: 900000ms"},
		{"all namespaces and ServiceAccounts", "ManagedIdentity", "", `assumableBy: [{namespaceSelector: {}, serviceAccounts: ["*"]}]`},
		{
			"Entra", "ManagedIdentity", "", "{tokenSource: Entra, tenantID: 72f988bf-86f1-41af-91ab-2d7cd011db47," +
				" clientID: 8a1c3c5b-86f1-41af-91ab-2d7cd011db47}",
		},
		{
			"a resource ID of another provider", "ManagedIdentity", "",
			"resourceID: /subscriptions/s/resourcegroups/g/providers/Microsoft.Compute/virtualMachines/vm",
		},
		{"a default among the identities", "IdentityBinding", "default", `{serviceAccounts: ["*"], identities: [a, b.c], defaultIdentity: b.c}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			taken(t, object(t, test.kind, test.namespace, "good", test.spec))
		})
	}
}
