package integration

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/explain"
)

// newExplainedVault adds the KeyVault orders to a namespace, and roles there: PREFIX-open may read one secret, PREFIX-closed all of them.
func newExplainedVault(t *testing.T, prefix string) explained {
	t.Helper()
	e := newExplained(t, prefix)
	vault := create(t, &v1alpha1.KeyVault{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "orders"}})
	vault.Status.URI = "https://orders.vault.kube-imds-system.svc"
	if err := admin.Status().Update(t.Context(), vault); err != nil {
		t.Fatal(err)
	}
	e.assign(t, "one-secret", v1alpha1.AssignedPrincipal{Identity: prefix + "-open"}, v1alpha1.KeyVaultSecretsUser, v1alpha1.AssignmentScope{KeyVault: "orders", Secret: "Greeting"})
	e.assign(t, "reader", v1alpha1.AssignedPrincipal{Identity: prefix + "-open"}, v1alpha1.KeyVaultReader, v1alpha1.AssignmentScope{KeyVault: "orders"})
	e.assign(t, "officer", v1alpha1.AssignedPrincipal{Identity: prefix + "-closed"}, v1alpha1.KeyVaultSecretsOfficer, v1alpha1.AssignmentScope{KeyVault: "orders"})
	e.assign(t, "nobody", v1alpha1.AssignedPrincipal{Identity: prefix + "-missing"}, v1alpha1.KeyVaultSecretsUser, v1alpha1.AssignmentScope{KeyVault: "orders"})
	e.assign(t, "a-storage-account", v1alpha1.AssignedPrincipal{ObjectID: e.open.Status.PrincipalID}, v1alpha1.StorageBlobDataOwner, v1alpha1.AssignmentScope{StorageAccount: "orders"})
	e.assign(t, "other-vault", v1alpha1.AssignedPrincipal{ObjectID: e.open.Status.PrincipalID}, v1alpha1.KeyVaultAdministrator, v1alpha1.AssignmentScope{KeyVault: "bills"})
	return e
}

func (e explained) assign(t *testing.T, name string, principal v1alpha1.AssignedPrincipal, role v1alpha1.RoleName, scope v1alpha1.AssignmentScope) {
	t.Helper()
	create(t, &v1alpha1.RoleAssignment{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: name},
		Spec:       v1alpha1.RoleAssignmentSpec{Principal: principal, Role: role, Scope: scope},
	})
}

// explainVault runs kubectl imds explain vault for NAMESPACE/orders.
func (e explained) explainVault(t *testing.T, arguments ...string) (output, failure string) {
	t.Helper()
	return kubectlIMDS(t, "", append([]string{"explain", "vault", e.namespace + "/orders"}, arguments...)...)
}

func TestExplainVault(t *testing.T) {
	e := newExplainedVault(t, "at-vault")
	output, failure := e.explainVault(t, "--identity", "at-vault-open", "--operation", "get secret", "--object", "secrets/other")
	want := strings.NewReplacer("NAMESPACE", e.namespace, "PRINCIPAL-ID", string(e.open.Status.PrincipalID)).Replace(`Key Vault   NAMESPACE/orders
Identity    at-vault-open, principal PRINCIPAL-ID
Object      secrets/other
Action      Microsoft.KeyVault/vaults/secrets/getSecret/action
Allowed     no

ASSIGNMENT    PRINCIPAL                              ROLE                        SCOPE                     ALLOWS IT
one-secret    at-vault-open                          Key Vault Secrets User      orders/secrets/Greeting   no: another scope
other-vault   PRINCIPAL-ID   Key Vault Administrator     bills                     no: another scope
reader        at-vault-open                          Key Vault Reader            orders                    no: the role does not include it
nobody        at-vault-missing                       Key Vault Secrets User      orders                    no: its identity does not exist, or has no principal yet
officer       at-vault-closed                        Key Vault Secrets Officer   orders                    no: another principal

This would allow it:

apiVersion: kube-imds.io/v1alpha1
kind: RoleAssignment
metadata:
  name: at-vault-open-secrets-user
  namespace: NAMESPACE
spec:
  principal:
    identity: at-vault-open
  role: Key Vault Secrets User
  scope:
    keyVault: orders
    secret: other
`)
	if diff := cmp.Diff(want, output); diff != "" || failure != "" {
		t.Errorf("%s (-want +got):\n%s", failure, diff)
	}
	output, failure = e.explainVault(t, "--identity", "at-vault-open", "--operation", "get secret", "--object", "secrets/greeting")
	for _, line := range []string{"Allowed     yes\n", "one-secret   at-vault-open   Key Vault Secrets User   orders/secrets/Greeting   yes\n"} {
		if !strings.Contains(output, line) || strings.Contains(output, "RoleAssignment") || strings.Contains(output, "officer") {
			t.Errorf("no line %q, or more than that, in\n%s%s", line, output, failure)
		}
	}
}

// What explain prints to be created has the effect that it says, as little as it can be.
func TestExplainVaultSaysWhatToCreate(t *testing.T) {
	e := newExplainedVault(t, "to-create")
	ask := func() explain.Access {
		t.Helper()
		output, failure := e.explainVault(t, "--identity", "to-create-open", "-o", "json",
			"--action", "Microsoft.KeyVault/vaults/keys/sign/action", "--object", "keys/invoices")
		var got []explain.Access
		if err := json.Unmarshal([]byte(output), &got); err != nil || len(got) != 1 {
			t.Fatalf("%v: %s%s", err, output, failure)
		}
		return got[0]
	}
	before := ask()
	if *before.Allowed || before.Create == nil {
		t.Fatalf("got %+v", before)
	}
	create(t, before.Create)
	want := []explain.Assigned{{
		Name: "to-create-open-crypto-user", Principal: "to-create-open", Role: v1alpha1.KeyVaultCryptoUser, Scope: "orders/keys/invoices",
	}}
	if after := ask(); !*after.Allowed || after.Create != nil || !cmp.Equal(want, after.Assignments) {
		t.Errorf("after it was created: %+v", after)
	}
}

// A pod's identities are those that it is granted. Without an operation it says all that they may do.
func TestExplainVaultForPod(t *testing.T) {
	e := newExplainedVault(t, "of-pod")
	create(t, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "orders-0", Annotations: map[string]string{v1alpha1.IdentityAnnotation: "of-pod-open"}},
		Spec:       corev1.PodSpec{ServiceAccountName: "orders", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	})
	output, failure := e.explainVault(t, "--pod", e.namespace+"/orders-0", "-o", "json")
	var got []explain.Access
	if err := json.Unmarshal([]byte(output), &got); err != nil {
		t.Fatalf("%v: %s%s", err, output, failure)
	}
	want := []explain.Access{{
		Namespace: e.namespace, Vault: "orders", URI: "https://orders.vault.kube-imds-system.svc",
		Identity: "of-pod-open", PrincipalID: string(e.open.Status.PrincipalID),
		Operations: []string{"list secrets", "get key", "get rotation policy", "get certificate"},
		Assignments: []explain.Assigned{
			{Name: "reader", Principal: "of-pod-open", Role: v1alpha1.KeyVaultReader, Scope: "orders"},
			{Name: "one-secret", Principal: "of-pod-open", Role: v1alpha1.KeyVaultSecretsUser, Scope: "orders/secrets/Greeting", Not: "another scope"},
			{Name: "other-vault", Principal: string(e.open.Status.PrincipalID), Role: v1alpha1.KeyVaultAdministrator, Scope: "bills", Not: "another scope"},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	output, _ = e.explainVault(t, "--identity", "of-pod-open")
	if line := "May         list secrets, get key, get rotation policy, get certificate\n"; !strings.Contains(output, line) {
		t.Errorf("no line %q in\n%s", line, output)
	}
}

// What stands in the way beside roles is said too.
func TestExplainVaultHints(t *testing.T) {
	e := newExplainedVault(t, "hints")
	create(t, &v1alpha1.KeyVault{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "elsewhere"},
		Spec:       v1alpha1.KeyVaultSpec{TenantID: "11111111-1111-4111-8111-111111111111"},
	})
	output, _ := kubectlIMDS(t, "", "explain", "vault", "elsewhere", "--namespace", e.namespace, "--identity", "hints-open")
	for _, hint := range []string{"Hint: the vault is not served\n", "Hint: the vault is of tenant 11111111-1111-4111-8111-111111111111, and ManagedIdentity \"hints-open\" of "} {
		if !strings.Contains(output, hint) {
			t.Errorf("no %q in\n%s", hint, output)
		}
	}
	e.open.Spec.AllowedResources = []string{"https://storage.azure.com"}
	if err := admin.Update(t.Context(), e.open); err != nil {
		t.Fatal(err)
	}
	output, _ = e.explainVault(t, "--identity", "hints-open")
	if hint := "add https://vault.kube-imds-system.svc to its spec.allowedResources"; !strings.Contains(output, hint) {
		t.Errorf("no %q in\n%s", hint, output)
	}
}

func TestExplainVaultFails(t *testing.T) {
	e := newExplainedVault(t, "vault-fails")
	create(t, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "plain"},
		Spec:       corev1.PodSpec{ServiceAccountName: "orders", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	})
	for name, test := range map[string]struct {
		arguments []string
		want      string
	}{
		"nobody":              {nil, "at least one of the flags in the group [identity pod] is required"},
		"unknown identity":    {[]string{"--identity", "nobody"}, `"nobody" not found`},
		"unknown pod":         {[]string{"--pod", e.namespace + "/nobody"}, `pods "nobody" not found`},
		"a pod without any":   {[]string{"--pod", e.namespace + "/plain"}, "kubectl imds explain plain --namespace " + e.namespace},
		"unknown operation":   {[]string{"--identity", "vault-fails-open", "--operation", "steal"}, `"steal": the operations are get secret, list secrets`},
		"an object of a kind": {[]string{"--identity", "vault-fails-open", "--object", "secret/x"}, `"secret/x" is not like secrets/NAME`},
		"unknown format":      {[]string{"--identity", "vault-fails-open", "-o", "xml"}, `unknown format "xml"`},
	} {
		if _, failure := e.explainVault(t, test.arguments...); !strings.Contains(failure, test.want) {
			t.Errorf("%s: got %q, want %q", name, failure, test.want)
		}
	}
	_, failure := kubectlIMDS(t, "", "explain", "vault", "missing", "--identity", "vault-fails-open")
	if !strings.Contains(failure, `"missing" not found`) {
		t.Errorf("a vault that is not there: %q", failure)
	}
}

// The help names the rights that explain vault needs. These are enough.
func TestRightsOfExplainVault(t *testing.T) {
	e := newExplainedVault(t, "vault-rights")
	create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: e.namespace + "-vault"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"kube-imds.io"}, Resources: []string{"managedidentities", "keyvaults"}, Verbs: []string{"get"}},
		{APIGroups: []string{"kube-imds.io"}, Resources: []string{"roleassignments"}, Verbs: []string{"list"}},
	}})
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: e.namespace + "-vault"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: e.namespace + "-vault"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "vault-developer"}},
	})
	eventually(t, func(context.Context) string {
		_, failure := e.explainVault(t, "--identity", "vault-rights-open", "--operation", "get secret", "--as", "vault-developer")
		return failure
	})
}
