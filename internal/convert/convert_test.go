package convert

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// annotated returns a ServiceAccount of azure-workload-identity, whose client ID ends in a number.
func annotated(namespace, name string, client int) string {
	return fmt.Sprintf(`{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": %q, "name": %q,
		"annotations": {"azure.workload.identity/client-id": "11111111-1111-4111-8111-%012d"}}}`+"\n", namespace, name, client)
}

// bound returns an AzureIdentity and its AzureIdentityBinding.
func bound(namespace, name, selector string, client int) string {
	return fmt.Sprintf(`{"apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity", "metadata": {"namespace": %[1]q, "name": %[2]q},
			"spec": {"clientID": "11111111-1111-4111-8111-%012[4]d"}}
		{"apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding", "metadata": {"namespace": %[1]q, "name": %[2]q},
			"spec": {"azureIdentity": %[2]q, "selector": %[3]q}}`+"\n", namespace, name, selector, client)
}

// pod returns a pod of aad-pod-identity.
func pod(namespace, account, label string) string {
	return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": %q, "name": "pod", "labels": {"aadpodidbinding": %q}},
		"spec": {"serviceAccountName": %q}}`+"\n", namespace, label, account)
}

// TestGrants asks the decision that the cluster makes what the objects grant.
func TestGrants(t *testing.T) {
	t.Parallel()
	result := convert(t, "", bound("shop", "orders", "all", 1), bound("shop", "payments", "all", 2), bound("billing", "books", "books", 3),
		pod("shop", "orders", "all"), pod("billing", "ledger", "books"), pod("archive", "orders", "books"),
		annotated("shop", "import", 1), annotated("billing", "ledger", 4))
	for name, test := range map[string]struct {
		account     account
		want        string
		wantDefault string
	}{
		"all bindings that select the pod": {account{"shop", "orders"}, "shop-orders shop-payments", ""},
		"binding of another namespace":     {account{"archive", "orders"}, "billing-books", "billing-books"},
		"annotation":                       {account{"shop", "import"}, "shop-orders", "shop-orders"},
		"binding and annotation":           {account{"billing", "ledger"}, "billing-books billing-ledger", "billing-ledger"},
		"another ServiceAccount":           {account{"shop", "default"}, "", ""},
		"another namespace":                {account{"billing", "orders"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decided := decide(t, result, test.account)
			var got []string
			for _, identity := range decided.Identities {
				got = append(got, identity.Name)
			}
			gotDefault := ""
			if decided.Default != nil {
				gotDefault = decided.Default.Name
			}
			if strings.Join(got, " ") != test.want || gotDefault != test.wantDefault || len(decided.Refusals) > 0 {
				t.Errorf("granted %q, default %q, refused %v; want %q and %q", got, gotDefault, decided.Refusals, test.want, test.wantDefault)
			}
			for _, identity := range result.Identities {
				admits := grant.Admits(identity, grant.Principal{Namespace: test.account.namespace, ServiceAccount: test.account.name})
				if admits != slices.Contains(got, identity.Name) {
					t.Errorf("%s admits the ServiceAccount: %t", identity.Name, admits)
				}
			}
		})
	}
}

// decide returns what a pod of a ServiceAccount is granted after the controller has seen the objects.
func decide(t *testing.T, result *Result, account account) grant.Grant {
	t.Helper()
	var ready []*v1alpha1.ManagedIdentity
	for _, identity := range result.Identities {
		ready = append(ready, build.Identity{ManagedIdentity: identity.DeepCopy()}.Ready().ManagedIdentity)
	}
	var bindings []v1alpha1.IdentityBinding
	for _, binding := range result.Bindings {
		bindings = append(bindings, *binding)
	}
	decided, err := grant.Decide(grant.Principal{Namespace: account.namespace, ServiceAccount: account.name}, grant.Among(ready...), bindings)
	if err != nil {
		t.Fatal(err)
	}
	return decided
}

func TestEntriesAreShared(t *testing.T) {
	t.Parallel()
	many := func(namespaces, names int) (all []account) {
		for i := range namespaces {
			for j := range names {
				all = append(all, account{fmt.Sprintf("ns%03d", i), fmt.Sprintf("sa%03d", j)})
			}
		}
		return all
	}
	for name, test := range map[string]struct {
		accounts []account
		want     int
	}{
		"none":                          {nil, 0},
		"one":                           {many(1, 1), 1},
		"same name in two namespaces":   {many(2, 1), 1},
		"other names in two namespaces": {[]account{{"a", "x"}, {"b", "x"}, {"b", "y"}}, 2},
		"64 namespaces":                 {many(64, 1), 1},
		"65 namespaces":                 {many(65, 1), 2},
		"65 names":                      {many(1, 65), 2},
		"65 of both":                    {many(65, 65), 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries := admissions(test.accounts)
			if len(entries) != test.want {
				t.Errorf("got %d entries, want %d", len(entries), test.want)
			}
			var admitted []account
			for _, entry := range entries {
				for _, namespace := range entry.Namespaces {
					for _, name := range entry.ServiceAccounts {
						admitted = append(admitted, account{namespace, name})
					}
				}
			}
			slices.SortFunc(admitted, account.compare)
			if !slices.Equal(admitted, test.accounts) {
				t.Errorf("admitted %v", admitted)
			}
		})
	}
}

// TestBoundsOfTheDefinitions checks that what would exceed a bound of the definitions is left.
func TestBoundsOfTheDefinitions(t *testing.T) {
	t.Parallel()
	var entries, identities []string
	for i := range 65 {
		entries = append(entries, annotated(fmt.Sprintf("ns%d", i), fmt.Sprintf("sa%d", i), 1))
	}
	for i := range 33 {
		identities = append(identities, bound("shop", fmt.Sprintf("id%d", i), "all", i))
	}
	for name, test := range map[string]struct {
		input      []string
		identities int
		bindings   int
		leftover   string
	}{
		"64 entries":    {entries[:64], 1, 64, ""},
		"65 entries":    {entries, 1, 65, "ServiceAccount ns0/sa0: assumableBy of ManagedIdentity ns0-sa0 would have 65 entries, and may have 64: "},
		"32 identities": {append(identities[:32:32], pod("shop", "orders", "all")), 32, 1, ""},
		"33 identities": {append(identities, pod("shop", "orders", "all")), 33, 0, "ServiceAccount shop/orders: it has 33 identities, and may have 32: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := convert(t, "", test.input...)
			if len(result.Identities) != test.identities || len(result.Bindings) != test.bindings {
				t.Errorf("got %d identities and %d bindings, want %d and %d", len(result.Identities), len(result.Bindings), test.identities, test.bindings)
			}
			switch {
			case test.leftover == "" && len(result.Leftovers) > 0:
				t.Errorf("left %v", result.Leftovers)
			case test.leftover != "" && (len(result.Leftovers) != 1 || !strings.HasPrefix(result.Leftovers[0].String(), test.leftover)):
				t.Errorf("left %v, want %s", result.Leftovers, test.leftover)
			}
			checkObjects(t, result)
		})
	}
}

// TestNamesStayUnique checks that an identity whose own name looks like that of another after a conflict keeps it.
func TestNamesStayUnique(t *testing.T) {
	t.Parallel()
	conflict := []string{bound("a", "b-c", "x", 1), bound("a-b", "c", "x", 2)}
	first := convert(t, "", conflict...).Identities[0]
	imitation := strings.TrimPrefix(first.Name, "a-")
	seen := map[string]v1alpha1.GUID{}
	for _, identity := range convert(t, "", append(conflict, bound("a", imitation, "x", 3))...).Identities {
		seen[identity.Name] = identity.Spec.ClientID
	}
	if len(seen) != 3 || seen[first.Name] != "11111111-1111-4111-8111-000000000003" {
		t.Errorf("got %v", seen)
	}
}

// FuzzConvert checks that no input makes it panic, and that a cluster takes whatever it prints.
func FuzzConvert(f *testing.F) {
	inputs, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, input := range inputs {
		content, err := os.ReadFile(input)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		manifests := &Manifests{Namespace: "shop"}
		if err := manifests.Read("file", bytes.NewReader(content)); err != nil {
			return
		}
		result := manifests.Convert(Options{Tenant: tenant})
		checkObjects(t, result)
		lines := strings.Count(printed(t, result.Report), "\n")
		if remarks := len(result.Leftovers) + len(result.Warnings); lines != remarks && lines != remarks+1 {
			t.Errorf("%d lines for %d remarks", lines, remarks)
		}
	})
}
