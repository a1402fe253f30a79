package explain

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// shop is a cluster with the namespace shop and its ServiceAccounts orders and default.
type shop struct {
	clientID   string // the annotation of azure-workload-identity on orders
	labels     map[string]string
	identities []build.Identity
	bindings   []v1alpha1.IdentityBinding
}

func (s shop) Namespace(_ context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	if name != "shop" {
		return nil, nil
	}
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: s.labels}}, nil
}

func (s shop) ServiceAccount(_ context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	if namespace != "shop" || name != "orders" && name != "default" {
		return nil, nil
	}
	account := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if s.clientID != "" {
		account.Annotations = map[string]string{workloadidentity.ClientIDAnnotation: s.clientID}
	}
	return account, nil
}

func (s shop) IdentityWithClientID(_ context.Context, clientID string) (*v1alpha1.ManagedIdentity, error) {
	for _, identity := range s.identities {
		if grant.HasClientID(identity.ManagedIdentity, clientID) {
			return identity.ManagedIdentity, nil
		}
	}
	return nil, nil
}

func (s shop) Identity(_ context.Context, name string) (*v1alpha1.ManagedIdentity, error) {
	for _, identity := range s.identities {
		if identity.Name == name {
			return identity.ManagedIdentity, nil
		}
	}
	return nil, nil
}

func (s shop) Bindings(context.Context, string) ([]v1alpha1.IdentityBinding, error) {
	return s.bindings, nil
}

func newPod(annotations map[string]string, injected bool) *Workload {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders-0", Annotations: annotations},
		Spec:       corev1.PodSpec{ServiceAccountName: "orders"},
	}
	if injected {
		pod.Spec.InitContainers = []corev1.Container{{Name: install.SidecarName}}
	}
	return &Workload{Kind: "Pod", Name: "orders-0", Exists: true, Pod: pod}
}

func TestInjection(t *testing.T) {
	t.Parallel()
	enabled := map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}
	for name, test := range map[string]struct {
		annotations, labels map[string]string
		injected            bool
		want                string
		hint                string
	}{
		"injected":                      {map[string]string{v1alpha1.InjectAnnotation: "true"}, nil, true, "injected", ""},
		"nothing asks":                  {nil, nil, false, "not injected; for a new pod: no, neither the pod nor its namespace asks for it", ""},
		"declines":                      {map[string]string{v1alpha1.InjectAnnotation: "false"}, enabled, false, "not injected; for a new pod: no, the annotation kube-imds.io/inject declines it", ""},
		"namespace asks, pod was there": {nil, enabled, false, "not injected; for a new pod: yes, the namespace has the label kube-imds.io/inject", "recreate it"},
		"another value of the label":    {nil, map[string]string{v1alpha1.InjectLabel: "true"}, false, "not injected; for a new pod: no, neither", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Explain(t.Context(), shop{labels: test.labels}, newPod(test.annotations, test.injected))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(got.Injection.String(), test.want) {
				t.Errorf("injection = %q, want %q", got.Injection, test.want)
			}
			if hints := strings.Join(got.Hints, "\n"); !strings.Contains(hints, test.hint) || (hints == "") != (test.hint == "") {
				t.Errorf("hints = %q, want %q", hints, test.hint)
			}
		})
	}
}

func TestIdentityThatEntraRefusesIsHintedAt(t *testing.T) {
	t.Parallel()
	identity := build.NewIdentity("orders").Admitting("shop", "orders").NotReadyBecause(v1alpha1.ReasonNotFederated, "AADSTS70025: paste this")
	got, err := Explain(t.Context(), shop{identities: []build.Identity{identity}}, newPod(map[string]string{v1alpha1.IdentityAnnotation: "orders"}, true))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`ManagedIdentity "orders" has no tokens now: AADSTS70025: paste this`}
	if diff := cmp.Diff(want, got.Hints); diff != "" || got.Default != "orders" {
		t.Errorf("default = %q, hints (-want +got):\n%s", got.Default, diff)
	}
}

func TestManifestOfWorkloadIdentity(t *testing.T) {
	t.Parallel()
	const clientID = "5f0d1d8c-0000-4000-8000-0000000000a1"
	pod := newPod(nil, true)
	pod.Pod.Labels = map[string]string{workloadidentity.UseLabel: "true"}
	cluster := shop{clientID: clientID, identities: []build.Identity{build.NewIdentity("orders").Admitting("shop", "orders").WithClientID(clientID).Ready()}}
	got, err := Explain(t.Context(), cluster, pod)
	if err != nil {
		t.Fatal(err)
	}
	if got.Source != grant.SourceWorkloadIdentity || got.Default != "orders" || !got.Injection.Asked || len(got.Refused) != 0 {
		t.Errorf("got %+v", got)
	}
	cluster.identities = nil
	if got, err = Explain(t.Context(), cluster, pod); err != nil || len(got.Refused) == 0 ||
		got.Refused[0].Reason != grant.ReasonNotFound || !strings.Contains(got.Refused[0].Message, clientID) {
		t.Errorf("without the identity: got %+v, error %v", got, err)
	}
}

// A person must see why a request without a selector fails.
func TestMissingDefaultIsRefused(t *testing.T) {
	t.Parallel()
	admitting := func(name string) build.Identity { return build.NewIdentity(name).Admitting("shop", "orders").Ready() }
	for name, test := range map[string]struct {
		cluster shop
		want    []Refused
	}{
		"nothing requested": {shop{}, []Refused{{Reason: grant.ReasonNoIdentity}}},
		"two and no default": {shop{
			identities: []build.Identity{admitting("a"), admitting("b")},
			bindings:   []v1alpha1.IdentityBinding{*build.NewBinding("shop", "both").Of("orders").To("a", "b").IdentityBinding},
		}, []Refused{{Reason: grant.ReasonNoDefault}}},
		"refused default is named once": {shop{
			identities: []build.Identity{build.NewIdentity("a").Admitting("shop", "orders").NotReady("later")},
			bindings:   []v1alpha1.IdentityBinding{*build.NewBinding("shop", "one").Of("orders").To("a").IdentityBinding},
		}, []Refused{{Identity: "a", Reason: grant.ReasonNotReady, Temporary: true}}},
	} {
		got, err := Explain(t.Context(), test.cluster, newPod(nil, true))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got.Refused, cmpopts.IgnoreFields(Refused{}, "Message")); diff != "" || got.Default != "" {
			t.Errorf("%s: default = %q, refused (-want +got):\n%s", name, got.Default, diff)
		}
	}
}

func TestDeniedPodIsRefusedOnce(t *testing.T) {
	t.Parallel()
	pod := newPod(nil, false)
	pod.Pod.Spec.HostNetwork = true
	got, err := Explain(t.Context(), shop{}, pod)
	if err != nil || len(got.Refused) != 1 || got.Refused[0].Reason != grant.ReasonHostNetwork {
		t.Errorf("got %+v, error %v", got, err)
	}
}

func TestExplainNeedsNamespaceAndServiceAccount(t *testing.T) {
	t.Parallel()
	elsewhere, unknown := newPod(nil, false), newPod(nil, false)
	elsewhere.Pod.Namespace, unknown.Pod.Spec.ServiceAccountName = "other", "unknown"
	for want, workload := range map[string]*Workload{
		`namespace "other" does not exist`:                            elsewhere,
		`ServiceAccount "unknown" does not exist in namespace "shop"`: unknown,
	} {
		if _, err := Explain(t.Context(), shop{}, workload); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestWorkloadOf(t *testing.T) {
	t.Parallel()
	const pod = "{metadata: {annotations: {a: b}}, spec: {hostNetwork: true}}"
	for name, test := range map[string]struct {
		object, account string
		annotations     bool
	}{
		"Deployment":         {"{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: shop, name: x}, spec: {template: " + pod + "}}", "default", true},
		"CronJob":            {"{apiVersion: batch/v1, kind: CronJob, metadata: {namespace: shop, name: x}, spec: {jobTemplate: {spec: {template: " + pod + "}}}}", "default", true},
		"kind of a CRD":      {"{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {namespace: shop, name: x}, spec: {template: " + pod + "}}", "default", true},
		"Pod":                {"{apiVersion: v1, kind: Pod, metadata: {namespace: shop, generateName: x, annotations: {a: b}}, spec: {hostNetwork: true, serviceAccountName: orders}}", "orders", true},
		"ServiceAccount":     {"{apiVersion: v1, kind: ServiceAccount, metadata: {namespace: shop, name: x, annotations: {a: b}}}", "x", false},
		"Deployment, no pod": {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}}", "", false},
		"ConfigMap":          {"{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}", "", false},
	} {
		got, err := WorkloadOf(parse(t, test.object), false)
		if test.account == "" {
			if !errors.Is(err, ErrNoPods) {
				t.Errorf("%s: got error %v, want ErrNoPods", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Name != "x" || got.Pod.Namespace != "shop" || got.Pod.Spec.ServiceAccountName != test.account ||
			(got.Pod.Annotations["a"] == "b") != test.annotations || got.Pod.Spec.HostNetwork != test.annotations {
			t.Errorf("%s: got %+v, pod %+v", name, got, got.Pod)
		}
	}
	if _, err := WorkloadOf(parse(t, "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: 5}"), false); err == nil {
		t.Error("a malformed Pod is accepted")
	}
}

func TestOverlayReplacesTheClustersObjects(t *testing.T) {
	t.Parallel()
	overlay := &Overlay{Reader: shop{
		identities: []build.Identity{build.NewIdentity("a").Ready()},
		bindings: []v1alpha1.IdentityBinding{
			*build.NewBinding("shop", "replaced").Of("orders").To("b").IdentityBinding, *build.NewBinding("shop", "kept").Of("orders").To("c").IdentityBinding,
		},
	}}
	for _, object := range []string{
		"{apiVersion: v1, kind: Namespace, metadata: {name: new, labels: {team: x}}}",
		"{apiVersion: v1, kind: ServiceAccount, metadata: {namespace: shop, name: orders, annotations: {a: b}}}",
		"{apiVersion: kube-imds.io/v1alpha1, kind: ManagedIdentity, metadata: {name: a}, spec: {assumableBy: [{namespaces: [shop], serviceAccounts: [orders]}]}, status: {clientID: forged}}",
		"{apiVersion: kube-imds.io/v1alpha1, kind: ManagedIdentity, metadata: {name: new}, spec: {clientID: 5f0d1d8c-0000-4000-8000-0000000000a1}, status: {clientID: forged}}",
		"{apiVersion: kube-imds.io/v1alpha1, kind: IdentityBinding, metadata: {namespace: shop, name: replaced}, spec: {serviceAccounts: [orders], identities: [a]}}",
		"{apiVersion: kube-imds.io/v1alpha1, kind: IdentityBinding, metadata: {namespace: other, name: elsewhere}, spec: {serviceAccounts: [orders], identities: [a]}}",
	} {
		if added, err := overlay.Add(parse(t, object)); err != nil || !added {
			t.Errorf("%s: added: %t, error %v", object, added, err)
		}
	}
	if added, err := overlay.Add(parse(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}")); added || err != nil {
		t.Errorf("ConfigMap: added: %t, error %v", added, err)
	}
	ctx := t.Context()
	namespace, _ := overlay.Namespace(ctx, "new")
	if diff := cmp.Diff(map[string]string{"team": "x", "kubernetes.io/metadata.name": "new"}, namespace.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if account, _ := overlay.ServiceAccount(ctx, "shop", "orders"); account.Annotations["a"] != "b" {
		t.Errorf("annotations = %v", account.Annotations)
	}
	if account, _ := overlay.ServiceAccount(ctx, "new", "default"); account == nil {
		t.Error("the new namespace has no default ServiceAccount")
	}
	if account, _ := overlay.ServiceAccount(ctx, "new", "other"); account != nil {
		t.Errorf("got ServiceAccount %v", account)
	}
	if identity, _ := overlay.Identity(ctx, "a"); len(identity.Spec.AssumableBy) != 1 || identity.Status.ClientID != "client-a" {
		t.Errorf("identity = %+v", identity)
	}
	if identity, _ := overlay.IdentityWithClientID(ctx, "5F0D1D8C-0000-4000-8000-0000000000A1"); identity == nil || identity.Name != "new" {
		t.Errorf("identity with the client ID = %+v", identity)
	}
	if identity, _ := overlay.Identity(ctx, "new"); identity == nil || identity.Status.ClientID != "" {
		t.Errorf("new identity = %+v", identity)
	}
	bindings, _ := overlay.Bindings(ctx, "shop")
	var got []string
	for _, binding := range bindings {
		got = append(got, binding.Name+" "+strings.Join(binding.Spec.Identities, ","))
	}
	if diff := cmp.Diff([]string{"kept c", "replaced a"}, got); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
}
