package keyvault

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

// A status proves nothing: whoever may write one would else get the requests for another vault.
func TestNameIsTheOldestVaults(t *testing.T) {
	t.Parallel()
	made := func(namespace string, minute int, uri string) *v1alpha1.KeyVault {
		return &v1alpha1.KeyVault{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: "orders", UID: types.UID(namespace),
				CreationTimestamp: metav1.NewTime(time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC)),
			},
			Status: v1alpha1.KeyVaultStatus{URI: uri},
		}
	}
	kinds, err := scheme.New()
	must(t, err, "know the kinds")
	builder := fake.NewClientBuilder().WithScheme(kinds).WithObjects(made("thief", 1, "https://orders.vault.imds.svc"), made("shop", 0, ""))
	for field, values := range azurehost.Indexes {
		builder.WithIndex(&v1alpha1.KeyVault{}, field, values)
	}
	directory := &Directory{Reader: builder.Build(), Domain: "vault.imds.svc", TenantID: "tenant", LoginURL: "https://login.example"}
	for host, want := range map[string]string{
		"orders.vault.imds.svc": "shop", "orders.vault.imds.svc.cluster.local": "shop",
		"other.vault.imds.svc": "", "orders.vault.example": "", "orders.vault.azure.net": "",
	} {
		found, err := directory.Find(t.Context(), host)
		must(t, err, "find "+host)
		if found == nil && want != "" || found != nil && (found.Namespace != want || found.Host != host) {
			t.Errorf("%s is %+v, want that of namespace %q", host, found, want)
		}
	}
}
