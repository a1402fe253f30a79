package controllers

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/install"
)

// Host names are written when a name comes or goes, and now and then, and not for other changes.
func TestHostNamesAreWrittenWhenTheyChange(t *testing.T) {
	t.Parallel()
	service := func(name string) client.Object {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "imds", Name: name}, Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.8"}}
	}
	writes, now, all := 0, time.Now(), []string{"orders", "bills"}
	api := interceptor.NewClient(indexed(t, service("blob"), service("queue"), service("table"), service("kube-imds-storage-gate")), interceptor.Funcs{
		Apply: func(ctx context.Context, to client.WithWatch, applied runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			writes++
			return to.Apply(ctx, applied, options...)
		},
	})
	names := &hostNames{
		client: api, live: api, names: install.Names{Name: "kube-imds", Namespace: "imds"}, kind: azurehost.StorageAccounts, services: servingAccounts.services,
		all: func(context.Context) ([]string, error) { return all, nil }, now: func() time.Time { return now },
	}
	for _, step := range []struct {
		what, name string
		isThere    bool
		change     func()
		writes     int
	}{
		{"the first one", "orders", true, func() {}, 3},
		{"another one, which was written with it", "bills", true, func() {}, 0},
		{"the same again", "orders", true, func() {}, 0},
		{"a new one", "new", true, func() { all = append(all, "new") }, 3},
		{"one that goes", "bills", false, func() { all = []string{"orders", "new"} }, 3},
		{"it is gone", "bills", false, func() {}, 0},
		{"much later", "orders", true, func() { now = now.Add(writeAgain) }, 3},
	} {
		step.change()
		writes = 0
		if err := names.keep(t.Context(), step.name, step.isThere); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if writes != step.writes {
			t.Errorf("%s: %d writes", step.what, writes)
		}
		for _, slice := range []string{"kube-imds-storage-blob", "kube-imds-storage-queue", "kube-imds-storage-table"} {
			var written discoveryv1.EndpointSlice
			if err := api.Get(t.Context(), client.ObjectKey{Namespace: "imds", Name: slice}, &written); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, endpoint := range written.Endpoints {
				got = append(got, *endpoint.Hostname+" "+endpoint.Addresses[0])
			}
			var want []string
			for _, name := range slices.Sorted(slices.Values(all)) {
				want = append(want, name+" 10.96.0.8")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s (-want +got)\n%s", step.what, slice, diff)
			}
		}
	}
}
