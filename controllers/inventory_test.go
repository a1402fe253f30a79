package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

func TestInventoryCountsByCondition(t *testing.T) {
	t.Parallel()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	reader := fake.NewClientBuilder().WithScheme(kinds).WithObjects(
		build.NewIdentity("a").Ready().ManagedIdentity, build.NewIdentity("b").Ready().ManagedIdentity,
		build.NewIdentity("c").NotReady("a complaint").ManagedIdentity, build.NewIdentity("unseen").ManagedIdentity,
		build.NewBinding("shop", "unseen").IdentityBinding,
	).Build()
	want := `
# HELP kube_imds_controller_identity_bindings IdentityBindings, by whether they are ready.
# TYPE kube_imds_controller_identity_bindings gauge
kube_imds_controller_identity_bindings{ready="false"} 1
kube_imds_controller_identity_bindings{ready="true"} 0
# HELP kube_imds_controller_managed_identities ManagedIdentities, by whether they are ready.
# TYPE kube_imds_controller_managed_identities gauge
kube_imds_controller_managed_identities{ready="false"} 2
kube_imds_controller_managed_identities{ready="true"} 2
`
	if err := testutil.CollectAndCompare(&Inventory{reader}, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// A scrape must return the other metrics while the caches are empty.
func TestInventoryWithoutCachesHasNoMetrics(t *testing.T) {
	t.Parallel()
	reader := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return errors.New("the cache is not started")
		},
	}).Build()
	if got := testutil.CollectAndCount(&Inventory{reader}); got != 0 {
		t.Errorf("got %d metrics", got)
	}
}
