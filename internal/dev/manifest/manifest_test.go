package manifest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// document returns a document of the API group with more lines.
func document(kind, name string, lines ...string) string {
	return "---\napiVersion: kube-imds.io/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n" + strings.Join(lines, "\n") + "\n"
}

// core returns a document of an object of the core group.
func core(kind, name, lines string) string {
	return "---\napiVersion: v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n" + lines + "\n"
}

func TestDocumentsAreReadInOrder(t *testing.T) {
	t.Parallel()
	content := "# two identities\n" + document("ManagedIdentity", "orders") +
		document("IdentityBinding", "here", "spec: {serviceAccounts: [a], identities: [orders]}") + "---\n" +
		document("ManagedIdentity", "invoices", "spec: {type: SystemAssigned, tokenLifetime: 90m}") +
		strings.Replace(document("IdentityBinding", "here", `spec: {serviceAccounts: ["*"], identities: [orders]}`),
			"{name: here}", "{name: here, namespace: elsewhere}", 1)
	got, err := Parse("shop", File{"file", []byte(content)})
	if err != nil {
		t.Fatal(err)
	}
	meta := metav1.TypeMeta{APIVersion: "kube-imds.io/v1alpha1"}
	identity := func(name string, spec v1alpha1.ManagedIdentitySpec, lifetime time.Duration) *v1alpha1.ManagedIdentity {
		meta.Kind = "ManagedIdentity"
		spec.TokenSource, spec.TokenLifetime = v1alpha1.TokenSourceLocal, &metav1.Duration{Duration: lifetime}
		return &v1alpha1.ManagedIdentity{TypeMeta: meta, ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	}
	binding := func(namespace, account string) v1alpha1.IdentityBinding {
		meta.Kind = "IdentityBinding"
		return v1alpha1.IdentityBinding{
			TypeMeta: meta, ObjectMeta: metav1.ObjectMeta{Name: "here", Namespace: namespace},
			Spec: v1alpha1.IdentityBindingSpec{ServiceAccounts: []string{account}, Identities: []string{"orders"}},
		}
	}
	want := &Manifest{
		Identities: []*v1alpha1.ManagedIdentity{
			identity("orders", v1alpha1.ManagedIdentitySpec{Type: v1alpha1.UserAssigned}, time.Hour),
			identity("invoices", v1alpha1.ManagedIdentitySpec{Type: v1alpha1.SystemAssigned}, 90*time.Minute),
		},
		Bindings: []v1alpha1.IdentityBinding{binding("shop", "a"), binding("elsewhere", "*")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

func TestStatusIsIgnored(t *testing.T) {
	t.Parallel()
	got, err := Parse("shop", File{"file", []byte(document("ManagedIdentity", "orders",
		"status: {clientID: 11111111-1111-4111-8111-111111111111}"))})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v1alpha1.ManagedIdentityStatus{}, got.Identities[0].Status); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

func TestErrorsNameDocumentAndField(t *testing.T) {
	t.Parallel()
	const one = `file, document 2: ManagedIdentity "orders": `
	for name, test := range map[string]struct{ content, want string }{
		"field in another case": {
			document("ManagedIdentity", "orders", "spec: {tenantId: x}"), one + "there is no field spec.tenantId",
		},
		"field of an entry": {
			document("ManagedIdentity", "orders", "spec: {assumableBy: [{namespaces: [a], accounts: [b]}]}"),
			one + "there is no field spec.assumableBy[0].accounts",
		},
		"field of metadata": {
			document("ManagedIdentity", "orders", "metadata: {name: a}"), "file, document 2: read it as YAML: ",
		},
		"rule": {
			document("ManagedIdentity", "orders", "spec: {tenantID: contoso}"),
			one + `spec.tenantID: Invalid value: "contoso": must be a GUID in lower case, such as 72f988bf-86f1-41af-91ab-2d7cd011db47`,
		},
		"rule over several fields": {
			document("ManagedIdentity", "orders", "spec: {tokenSource: Entra}"),
			one + `spec: Invalid value: tokenSource Entra needs the clientID and the tenantID`,
		},
		"unknown enum value": {
			document("ManagedIdentity", "orders", "spec: {type: Assigned}"), one + `spec.type: Unsupported value: "Assigned"`,
		},
		"value of another type": {
			document("ManagedIdentity", "orders", "spec: {allowedResources: 1}"), one + `spec.allowedResources: Invalid value: "integer"`,
		},
		"missing field": {
			document("IdentityBinding", "orders", "spec: {identities: [a]}"),
			`file, document 2: IdentityBinding "orders": spec.serviceAccounts: Required value`,
		},
		"duplicate in a set": {
			document("IdentityBinding", "orders", "spec: {identities: [a, a], serviceAccounts: [b]}"),
			`file, document 2: IdentityBinding "orders": spec.identities[1]: Duplicate value: "a"`,
		},
		"lifetime too short": {
			document("ManagedIdentity", "orders", "spec: {tokenLifetime: 3m}"), one + `spec.tokenLifetime: Invalid value: "3m"`,
		},
		"invalid selector": {
			document("ManagedIdentity", "orders",
				"spec: {assumableBy: [{serviceAccounts: [a], namespaceSelector: {matchExpressions: [{key: a, operator: Near}]}}]}"),
			one + "spec.assumableBy[0].namespaceSelector: ",
		},
		"no name": {
			"---\napiVersion: kube-imds.io/v1alpha1\nkind: ManagedIdentity\n", "file, document 2: ManagedIdentity: metadata.name: Required value",
		},
		"invalid name": {document("ManagedIdentity", "O_o"), `file, document 2: ManagedIdentity "O_o": metadata.name: `},
		"name too long": {
			document("ManagedIdentity", strings.Repeat("o", 64)), "must be no more than 63 characters",
		},
		"unknown field of metadata": {
			"---\napiVersion: kube-imds.io/v1alpha1\nkind: ManagedIdentity\nmetadata: {name: orders, namme: a}\n", one + "metadata: ",
		},
		"another kind":    {"---\napiVersion: v1\nkind: ConfigMap\n", `file, document 2: unknown apiVersion "v1" and kind "ConfigMap": want v1 Pod, Node, Service or Secret`},
		"another version": {"---\napiVersion: kube-imds.io/v1\nkind: ManagedIdentity\n", `file, document 2: unknown apiVersion "kube-imds.io/v1"`},
		"field of a Pod":  {core("Pod", "a", "spec: {serviceAccount: x, nodename: y}"), `file, document 2: Pod: `},
		"name of a Pod":   {core("Pod", "A", ""), `file, document 2: Pod "A": metadata.name: `},
		"two Pods":        {core("Pod", "a", "") + core("Pod", "b", ""), `file, document 3: a second Pod: the first one, "a", is who asks`},
		"two Nodes":       {core("Node", "a", "") + core("Node", "b", ""), `file, document 3: a second Node: the pod runs on the first one, "a"`},
		"same Service":    {core("Service", "a", "") + core("Service", "a", ""), `file, document 3: Service "a" is in file, document 2 already`},
		"another node":    {core("Pod", "a", "spec: {nodeName: x}") + core("Node", "b", ""), `the Pod "a" runs on node "x", and the only Node is "b"`},
		"duplicate key":   {"---\na: 1\na: 2\n", "file, document 2: read it as YAML: "},
		"not YAML":        {"---\n\t{\n", "file, document 2: read it as YAML: "},
		"not an object":   {"---\n- a\n", "file, document 2: not an object"},
		"same identity":   {document("ManagedIdentity", "first"), `file, document 2: ManagedIdentity "first" is in file, document 1 already`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("shop", File{"file", []byte("# what we have\n" + document("ManagedIdentity", "first") + test.content)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v\nwant      %s", err, test.want)
			}
		})
	}
}

func TestErrorsNameEveryInvalidDocument(t *testing.T) {
	t.Parallel()
	_, err := Parse("shop", File{"file", []byte("a: 1\n---\nb: 2\n")})
	for _, want := range []string{"file, document 1: ", "file, document 2: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want it to contain %q", err, want)
		}
	}
}

func TestEmptyFilesAreRefused(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"":                 "file holds no object",
		"---\n# nothing\n": "file holds no object",
		document("IdentityBinding", "b", "spec: {serviceAccounts: [a], identities: [b]}"): "there are IdentityBindings, but no ManagedIdentity",
	} {
		if _, err := Parse("shop", File{"file", []byte(content)}); err == nil || err.Error() != want {
			t.Errorf("%q: got error %v", content, err)
		}
	}
}

func TestObjectsComeFromSeveralFiles(t *testing.T) {
	t.Parallel()
	got, err := Parse("shop", File{"pod", []byte(core("Pod", "orders-0", "spec: {nodeName: worker}"))},
		File{"rest", []byte(core("Node", "worker", "") + core("Service", "a", "") + strings.Replace(core("Service", "a", ""), "{name: a}", "{name: a, namespace: other}", 1))})
	if err != nil {
		t.Fatal(err)
	}
	if got.Pod.Name != "orders-0" || got.Pod.Namespace != "shop" || got.Node.Name != "worker" || got.Node.Namespace != "" ||
		len(got.Services) != 2 || got.Services[0].Namespace != "shop" || got.Services[1].Namespace != "other" {
		t.Errorf("got %+v", got)
	}
}
