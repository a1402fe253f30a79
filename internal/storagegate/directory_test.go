package storagegate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/resource/owner"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

func newDirectory(t *testing.T, objects ...client.Object) *Directory {
	t.Helper()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	reader := fake.NewClientBuilder().WithScheme(kinds).WithObjects(objects...).WithIndex(&v1alpha1.StorageAccount{}, owner.Field, owner.Values).Build()
	return &Directory{Reader: reader, Domain: domain, TenantID: tenant, Known: func(_ string, uid types.UID) bool { return uid == "known" }}
}

func newAccount(namespace, name string, change func(*v1alpha1.StorageAccount)) *v1alpha1.StorageAccount {
	account := &v1alpha1.StorageAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "known", CreationTimestamp: metav1.NewTime(time.Unix(1e9, 0))},
		Status:     v1alpha1.StorageAccountStatus{Blob: "https://" + name + ".blob." + domain},
	}
	if change != nil {
		change(account)
	}
	return account
}

func TestFind(t *testing.T) {
	t.Parallel()
	now := metav1.Now()
	directory := newDirectory(
		t, newAccount("shop", "orders", nil),
		newAccount("thief", "orders", func(a *v1alpha1.StorageAccount) { a.CreationTimestamp = now }),
		newAccount("shop", "own", func(a *v1alpha1.StorageAccount) {
			a.UID, a.Spec = "unknown", v1alpha1.StorageAccountSpec{TenantID: "own-tenant", AllowSharedKeyAccess: true}
		}),
		newAccount("shop", "public", func(a *v1alpha1.StorageAccount) {
			a.Spec.PublicHosts = []v1alpha1.StorageHost{"public.blob.core.windows.net", "public.table.core.windows.net", "other.blob.core.windows.net"}
			a.Status.PublicHosts = []v1alpha1.StorageHost{"public.blob.core.windows.net", "public.queue.core.windows.net", "other.blob.core.windows.net"}
		}),
		newAccount("thief", "public", func(a *v1alpha1.StorageAccount) {
			a.CreationTimestamp = now
			a.Spec.PublicHosts = []v1alpha1.StorageHost{"public.table.core.windows.net"}
			a.Status.PublicHosts = a.Spec.PublicHosts
		}),
		newAccount("shop", "unnamed", func(a *v1alpha1.StorageAccount) { a.Status.Blob = "" }),
		newAccount("shop", "ending", func(a *v1alpha1.StorageAccount) { a.DeletionTimestamp, a.Finalizers = &now, []string{"a/b"} }),
	)
	orders := Account{Namespace: "shop", Name: "orders", Service: Blob, Host: "orders.blob." + domain, TenantID: tenant, Ready: true}
	long, queue := orders, orders
	long.Host += ".cluster.local"
	queue.Service, queue.Host = Queue, "orders.queue."+domain
	for host, want := range map[string]*Account{
		orders.Host: &orders, long.Host: &long, queue.Host: &queue,
		"own.table." + domain:          {Namespace: "shop", Name: "own", Service: Table, Host: "own.table." + domain, TenantID: "own-tenant", SharedKey: true},
		"public.blob.core.windows.net": {Namespace: "shop", Name: "public", Service: Blob, Host: "public.blob.core.windows.net", TenantID: tenant, Ready: true},
		// Declared and not given, given and not declared, another account's, and another kind's.
		"public.table.core.windows.net": nil, "public.queue.core.windows.net": nil, "other.blob.core.windows.net": nil, "public.vault.azure.net": nil,
		"unnamed.blob." + domain: nil, "ending.blob." + domain: nil, "nobody.blob." + domain: nil, "orders.dfs." + domain: nil, "orders.blob": nil, "": nil,
		"orders.blob." + domain + ".example": nil, "orders.blob.other.svc": nil, "a.orders.blob." + domain: nil,
	} {
		got, err := directory.Find(t.Context(), host)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got)\n%s", host, err, diff)
		}
	}
}

// Assignments of identities without a principal, or that are not there, give nobody anything.
func TestAssignments(t *testing.T) {
	t.Parallel()
	assign := func(namespace, name string, principal v1alpha1.AssignedPrincipal, scope v1alpha1.AssignmentScope) *v1alpha1.RoleAssignment {
		return &v1alpha1.RoleAssignment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       v1alpha1.RoleAssignmentSpec{Principal: principal, Role: v1alpha1.StorageBlobDataReader, Scope: scope},
		}
	}
	here := v1alpha1.AssignmentScope{StorageAccount: "orders"}
	directory := newDirectory(
		t, &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Status: v1alpha1.ManagedIdentityStatus{PrincipalID: "reader-id"}},
		&v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: "new"}},
		assign("shop", "a", v1alpha1.AssignedPrincipal{Identity: "reader"}, v1alpha1.AssignmentScope{StorageAccount: "orders", Container: "invoices"}),
		assign("shop", "b", v1alpha1.AssignedPrincipal{ObjectID: "other-id"}, here),
		assign("shop", "c", v1alpha1.AssignedPrincipal{Identity: "new"}, here),
		assign("shop", "d", v1alpha1.AssignedPrincipal{Identity: "nobody"}, here),
		assign("shop", "e", v1alpha1.AssignedPrincipal{ObjectID: "other-id"}, v1alpha1.AssignmentScope{StorageAccount: "bills"}),
		assign("shop", "f", v1alpha1.AssignedPrincipal{ObjectID: "other-id"}, v1alpha1.AssignmentScope{KeyVault: "orders"}),
		assign("thief", "g", v1alpha1.AssignedPrincipal{ObjectID: "thief-id"}, here),
	)
	got, err := directory.Assignments(t.Context(), &Account{Namespace: "shop", Name: "orders"})
	want := []role.Assignment{
		{Principal: "reader-id", Role: v1alpha1.StorageBlobDataReader, Scope: role.Scope{Namespace: "shop", StorageAccount: "orders", Object: role.Object{Kind: role.Containers, Name: "invoices"}}},
		{Principal: "other-id", Role: v1alpha1.StorageBlobDataReader, Scope: role.Scope{Namespace: "shop", StorageAccount: "orders"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got)\n%s", err, diff)
	}
}
