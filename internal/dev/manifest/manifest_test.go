package manifest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// document is one of the API group, of a kind, with more lines.
func document(kind, name string, lines ...string) string {
	return "---\napiVersion: kube-imds.io/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n" + strings.Join(lines, "\n") + "\n"
}

// core returns a document of an object of the core group.
func core(kind, name, lines string) string {
	return "---\napiVersion: v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n" + lines + "\n"
}

func TestDocumentsAreReadInTheirOrder(t *testing.T) {
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

func TestStatusIsLeftOut(t *testing.T) {
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

func TestErrorsNameTheDocumentAndTheField(t *testing.T) {
	t.Parallel()
	const one = `file, document 2: ManagedIdentity "orders": `
	for name, test := range map[string]struct{ content, want string }{
		"a field in other letters": {
			document("ManagedIdentity", "orders", "spec: {tenantId: x}"), one + "there is no field spec.tenantId",
		},
		"a field of an entry": {
			document("ManagedIdentity", "orders", "spec: {assumableBy: [{namespaces: [a], accounts: [b]}]}"),
			one + "there is no field spec.assumableBy[0].accounts",
		},
		"a field of metadata": {
			document("ManagedIdentity", "orders", "metadata: {name: a}"), "file, document 2: read it as YAML: ",
		},
		"a rule": {
			document("ManagedIdentity", "orders", "spec: {tenantID: contoso}"),
			one + `spec.tenantID: Invalid value: "contoso": must be a GUID in lower case, such as 72f988bf-86f1-41af-91ab-2d7cd011db47`,
		},
		"a rule over several fields": {
			document("ManagedIdentity", "orders", "spec: {tokenSource: Entra}"),
			one + `spec: Invalid value: tokenSource Entra needs the clientID and the tenantID`,
		},
		"a value that is none of those there are": {
			document("ManagedIdentity", "orders", "spec: {type: Assigned}"), one + `spec.type: Unsupported value: "Assigned"`,
		},
		"a value of another type": {
			document("ManagedIdentity", "orders", "spec: {allowedResources: 1}"), one + `spec.allowedResources: Invalid value: "integer"`,
		},
		"a field that is missing": {
			document("IdentityBinding", "orders", "spec: {identities: [a]}"),
			`file, document 2: IdentityBinding "orders": spec.serviceAccounts: Required value`,
		},
		"a name twice in a set": {
			document("IdentityBinding", "orders", "spec: {identities: [a, a], serviceAccounts: [b]}"),
			`file, document 2: IdentityBinding "orders": spec.identities[1]: Duplicate value: "a"`,
		},
		"a lifetime that is too short": {
			document("ManagedIdentity", "orders", "spec: {tokenLifetime: 3m}"), one + `spec.tokenLifetime: Invalid value: "3m"`,
		},
		"a selector that is none": {
			document("ManagedIdentity", "orders",
				"spec: {assumableBy: [{serviceAccounts: [a], namespaceSelector: {matchExpressions: [{key: a, operator: Near}]}}]}"),
			one + "spec.assumableBy[0].namespaceSelector: ",
		},
		"no name": {
			"---\napiVersion: kube-imds.io/v1alpha1\nkind: ManagedIdentity\n", "file, document 2: ManagedIdentity: metadata.name: Required value",
		},
		"a name that is none": {document("ManagedIdentity", "O_o"), `file, document 2: ManagedIdentity "O_o": metadata.name: `},
		"a name that is too long": {
			document("ManagedIdentity", strings.Repeat("o", 64)), "must be no more than 63 characters",
		},
		"metadata of a wrong field": {
			"---\napiVersion: kube-imds.io/v1alpha1\nkind: ManagedIdentity\nmetadata: {name: orders, namme: a}\n", one + "metadata: ",
		},
		"another kind":    {"---\napiVersion: v1\nkind: Secret\n", `file, document 2: unknown apiVersion "v1" and kind "Secret": want v1 Pod, Node or Service`},
		"another version": {"---\napiVersion: kube-imds.io/v1\nkind: ManagedIdentity\n", `file, document 2: unknown apiVersion "kube-imds.io/v1"`},
		"a Pod's field":   {core("Pod", "a", "spec: {serviceAccount: x, nodename: y}"), `file, document 2: Pod: `},
		"a Pod's name":    {core("Pod", "A", ""), `file, document 2: Pod "A": metadata.name: `},
		"two Pods":        {core("Pod", "a", "") + core("Pod", "b", ""), `file, document 3: a second Pod: the first one, "a", is who asks`},
		"two Nodes":       {core("Node", "a", "") + core("Node", "b", ""), `file, document 3: a second Node: the pod runs on the first one, "a"`},
		"a Service twice": {core("Service", "a", "") + core("Service", "a", ""), `file, document 3: Service "a" is in file, document 2 already`},
		"a Pod elsewhere": {core("Pod", "a", "spec: {nodeName: x}") + core("Node", "b", ""), `the Pod "a" runs on node "x", and the only Node is "b"`},
		"a key twice":     {"---\na: 1\na: 2\n", "file, document 2: read it as YAML: "},
		"no YAML":         {"---\n\t{\n", "file, document 2: read it as YAML: "},
		"no object":       {"---\n- a\n", "file, document 2: not an object"},
		"the same again":  {document("ManagedIdentity", "first"), `file, document 2: ManagedIdentity "first" is in file, document 1 already`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("shop", File{"file", []byte("# what we have\n" + document("ManagedIdentity", "first") + test.content)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v\nwithout      %s", err, test.want)
			}
		})
	}
}

func TestEveryWrongDocumentIsNamed(t *testing.T) {
	t.Parallel()
	_, err := Parse("shop", File{"file", []byte("a: 1\n---\nb: 2\n")})
	for _, want := range []string{"file, document 1: ", "file, document 2: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, without %q", err, want)
		}
	}
}

func TestFilesThatAreOfNoUse(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"":                 "file holds no object",
		"---\n# nothing\n": "file holds no object",
		document("IdentityBinding", "b", "spec: {serviceAccounts: [a], identities: [b]}"): "there are IdentityBindings, but no ManagedIdentity",
	} {
		if _, err := Parse("shop", File{"file", []byte(content)}); err == nil || err.Error() != want {
			t.Errorf("%q: the error is %v", content, err)
		}
	}
}

func TestWhatIsAroundAPodComesFromSeveralFiles(t *testing.T) {
	t.Parallel()
	got, err := Parse("shop", File{"pod", []byte(core("Pod", "orders-0", "spec: {nodeName: worker}"))},
		File{"rest", []byte(core("Node", "worker", "") + core("Service", "a", "") + strings.Replace(core("Service", "a", ""), "{name: a}", "{name: a, namespace: other}", 1))})
	if err != nil {
		t.Fatal(err)
	}
	if got.Pod.Name != "orders-0" || got.Pod.Namespace != "shop" || got.Node.Name != "worker" || got.Node.Namespace != "" ||
		len(got.Services) != 2 || got.Services[0].Namespace != "shop" || got.Services[1].Namespace != "other" {
		t.Errorf("they hold %+v", got)
	}
}
