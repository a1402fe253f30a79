package identifier

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

const (
	tenant      = v1alpha1.GUID("11111111-1111-4111-8111-111111111111")
	otherTenant = v1alpha1.GUID("22222222-2222-4222-8222-222222222222")

	// The IDs of "orders" in each of the two tenants, computed by another implementation of UUIDv5.
	ordersClient       = v1alpha1.GUID("215e6f1f-5ad5-5e77-8922-2b60abbefd58")
	ordersPrincipal    = v1alpha1.GUID("f66b369f-eaa7-5755-ba30-7e0abb74c3bd")
	elsewhereClient    = v1alpha1.GUID("8bb06f4e-7e49-5d47-9876-77b6f5f10654")
	ordersResourceID   = "/subscriptions/sub/resourcegroups/Group/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders"
	specClient         = v1alpha1.GUID("33333333-3333-4333-8333-333333333333")
	specPrincipal      = v1alpha1.GUID("44444444-4444-4444-8444-444444444444")
	statusClient       = v1alpha1.GUID("55555555-5555-4555-8555-555555555555")
	statusPrincipal    = v1alpha1.GUID("66666666-6666-4666-8666-666666666666")
	specResourceID     = "/subscriptions/s/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine"
	statusResourceID   = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/before"
	elsewherePrincipal = v1alpha1.GUID("2ecc05b2-96e7-56b6-9245-095a29295137")
)

var defaults = Defaults{TenantID: tenant, SubscriptionID: "sub", ResourceGroup: "Group"}

func TestResolve(t *testing.T) {
	t.Parallel()
	generated := Set{tenant, ordersClient, ordersPrincipal, ordersResourceID}
	before := v1alpha1.ManagedIdentityStatus{
		TenantID: otherTenant, ClientID: statusClient, PrincipalID: statusPrincipal, ResourceID: statusResourceID,
	}
	for _, test := range []struct {
		name   string
		spec   v1alpha1.ManagedIdentitySpec
		status v1alpha1.ManagedIdentityStatus
		want   Set
	}{
		{name: "nothing is named: all is generated", want: generated},
		{
			name: "the tenant is named: the IDs are that tenant's",
			spec: v1alpha1.ManagedIdentitySpec{TenantID: otherTenant},
			want: Set{otherTenant, elsewhereClient, elsewherePrincipal, ordersResourceID},
		},
		{
			name:   "what was generated before is kept",
			status: before,
			want:   Set{otherTenant, statusClient, statusPrincipal, statusResourceID},
		},
		{
			name: "what the spec names wins over what was there before",
			spec: v1alpha1.ManagedIdentitySpec{
				TenantID: tenant, ClientID: specClient, PrincipalID: specPrincipal, ResourceID: specResourceID,
			},
			status: before,
			want:   Set{tenant, specClient, specPrincipal, specResourceID},
		},
		{
			name: "one ID is named, the others are generated",
			spec: v1alpha1.ManagedIdentitySpec{ClientID: specClient},
			want: Set{tenant, specClient, ordersPrincipal, ordersResourceID},
		},
		{
			name:   "one ID was there before, the others are generated",
			status: v1alpha1.ManagedIdentityStatus{PrincipalID: statusPrincipal},
			want:   Set{tenant, ordersClient, statusPrincipal, ordersResourceID},
		},
		{
			name:   "the principal of Entra ID is not generated",
			spec:   v1alpha1.ManagedIdentitySpec{TokenSource: v1alpha1.TokenSourceEntra, TenantID: tenant, ClientID: specClient},
			status: v1alpha1.ManagedIdentityStatus{PrincipalID: statusPrincipal},
			want:   Set{tenant, specClient, "", ordersResourceID},
		},
		{
			name: "the principal of Entra ID is named",
			spec: v1alpha1.ManagedIdentitySpec{TokenSource: v1alpha1.TokenSourceEntra, ClientID: specClient, PrincipalID: specPrincipal},
			want: Set{tenant, specClient, specPrincipal, ordersResourceID},
		},
		{
			name: "a system-assigned identity has the resource ID of each machine",
			spec: v1alpha1.ManagedIdentitySpec{Type: v1alpha1.SystemAssigned}, status: v1alpha1.ManagedIdentityStatus{ResourceID: statusResourceID},
			want: Set{tenant, ordersClient, ordersPrincipal, ""},
		},
		{
			name: "a system-assigned identity names one machine",
			spec: v1alpha1.ManagedIdentitySpec{Type: v1alpha1.SystemAssigned, ResourceID: specResourceID},
			want: Set{tenant, ordersClient, ordersPrincipal, specResourceID},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			identity := &v1alpha1.ManagedIdentity{
				ObjectMeta: metav1.ObjectMeta{Name: "orders"}, Spec: test.spec, Status: test.status,
			}
			got := Resolve(identity, defaults)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error("(-want +got)\n" + diff)
			}
		})
	}
}

func TestGeneratedIDsAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[v1alpha1.GUID]string{}
	for _, tenant := range []v1alpha1.GUID{tenant, otherTenant} {
		for _, name := range []string{"client/orders", "principal/orders", "client/invoices", "principal/invoices"} {
			id := generate(tenant, name)
			if who := string(tenant) + " " + name; seen[id] != "" {
				t.Errorf("%s and %s are both %s", seen[id], who, id)
			} else {
				seen[id] = who
			}
		}
	}
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	one := Set{tenant, specClient, specPrincipal, specResourceID}
	for _, test := range []struct {
		name  string
		other Set
		want  bool
	}{
		{"all different", Set{otherTenant, statusClient, statusPrincipal, statusResourceID}, false},
		{"the same tenant", Set{tenant, statusClient, statusPrincipal, statusResourceID}, false},
		{"the same client ID", Set{otherTenant, specClient, statusPrincipal, statusResourceID}, true},
		{"the same principal ID", Set{otherTenant, statusClient, specPrincipal, statusResourceID}, true},
		{"the same resource ID", Set{otherTenant, statusClient, statusPrincipal, specResourceID}, true},
		{
			"the same resource ID in other letters",
			Set{otherTenant, statusClient, statusPrincipal,
				"/SUBSCRIPTIONS/s/resourcegroups/g/providers/microsoft.managedidentity/userassignedidentities/MINE"}, true,
		},
		{"client ID is the other's principal ID", Set{otherTenant, specPrincipal, specClient, statusResourceID}, false},
		{"no resource ID", Set{otherTenant, statusClient, statusPrincipal, ""}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := one.Conflicts(test.other); got != test.want {
				t.Errorf("conflicts: %v, want %v", got, test.want)
			}
			if got := test.other.Conflicts(one); got != test.want {
				t.Errorf("reversed: %v, want %v", got, test.want)
			}
		})
	}
}

// Two identities of Entra ID without a principal ID do not share one.
func TestMissingPrincipalsDoNotConflict(t *testing.T) {
	t.Parallel()
	first, second := Set{ClientID: "one"}, Set{ClientID: "two"}
	if first.Conflicts(second) {
		t.Error("two identities without a principal ID conflict")
	}
}

// Two system-assigned identities without a resource ID do not share one.
func TestMissingResourceIDsDoNotConflict(t *testing.T) {
	t.Parallel()
	one, other := Set{tenant, specClient, specPrincipal, ""}, Set{tenant, statusClient, statusPrincipal, ""}
	if one.Conflicts(other) {
		t.Error("they conflict")
	}
}
