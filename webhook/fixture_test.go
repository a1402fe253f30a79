package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// shop returns the objects of most tests: the namespace shop with its ServiceAccounts, and identities of
// all sorts.
func shop() []client.Object {
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		account("default", ""), account("cashier", ""), account("bound", ""), account("annotated", "payments"),
		build.NewIdentity("orders").Admitting("shop", "*").Ready(),
		build.NewIdentity("payments").Admitting("shop", "*").Ready(),
		build.NewIdentity("waiting").Admitting("shop", "*"),
		build.NewIdentity("closed").Ready(),
		build.NewBinding("shop", "bound").Of("bound").To("orders", "payments").WithDefault("payments"),
	}
}

func account(name, identities string) *corev1.ServiceAccount {
	made := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	if identities != "" {
		made.Annotations = map[string]string{v1alpha1.IdentityAnnotation: identities}
	}
	return made
}

// newMutator returns a mutator whose caches hold these objects. No others exist.
func newMutator(t testing.TB, cached ...client.Object) *mutator {
	t.Helper()
	return &mutator{
		options: Options{
			SidecarImage:     "registry.example/sidecar:1",
			ImagePullPolicy:  corev1.PullIfNotPresent,
			SidecarResources: resources("5m", "16Mi"),
			NetInitResources: resources("1m", "8Mi"),
			Interception:     Redirect,
			SidecarPort:      15780,
			IssuerURL:        "https://kube-imds-issuer.kube-imds-system.svc",
			CABundle:         func(context.Context) []byte { return []byte("the authority's certificate") },
			TrustName:        "kube-imds-trust",
		},
		lookup: lookup{cached: reader(t, cached...), live: reader(t)},
		room:   newRoom(),
		parts:  new(partsCache),
		events: events.NewFakeRecorder(100),
		log:    logr.Discard(),
	}
}

func reader(t testing.TB, objects ...client.Object) client.WithWatch {
	t.Helper()
	builder := fake.NewClientBuilder().WithScheme(kinds(t)).WithObjects(plain(objects)...).
		WithIndex(&v1alpha1.ManagedIdentity{}, clientid.Field, clientid.Values)
	for field, values := range azurehost.Indexes {
		builder.WithIndex(&v1alpha1.KeyVault{}, field, values).WithIndex(&v1alpha1.StorageAccount{}, field, values)
	}
	return builder.Build()
}

// plain returns the objects without their builders.
func plain(objects []client.Object) []client.Object {
	var all []client.Object
	for _, object := range objects {
		switch made := object.(type) {
		case build.Identity:
			object = made.ManagedIdentity
		case build.Binding:
			object = made.IdentityBinding
		}
		all = append(all, object)
	}
	return all
}

func kinds(t testing.TB) *runtime.Scheme {
	t.Helper()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

func resources(cpu, memory string) corev1.ResourceRequirements {
	amounts := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
	return corev1.ResourceRequirements{Requests: amounts, Limits: amounts}
}

// review returns the API server's request to admit a pod to the namespace shop, made by a controller.
func review(raw []byte) []byte { return reviewWith(`"dryRun":false`, raw) }

// reviewWith returns a request with one more field.
func reviewWith(field string, raw []byte) []byte {
	return fmt.Appendf(nil, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"0df28fbd","namespace":"shop","operation":"CREATE",`+
		`"userInfo":{"username":"replicaset-controller"},%s,"object":%s}}`, field, raw)
}

// admit sends a pod to the mutator.
func admit(t *testing.T, m *mutator, pod *corev1.Pod) admission.Response {
	t.Helper()
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return m.answer(t.Context(), review(raw))
}

// injected returns an injected pod. The pod must be admitted.
func injected(t *testing.T, m *mutator, raw []byte) []byte {
	t.Helper()
	response := m.answer(t.Context(), review(raw))
	if !response.Allowed {
		t.Fatalf("pod is denied: %s", response.Result.Message)
	}
	return patched(t, raw, response)
}

// patched applies the response's patch as the API server does.
func patched(t *testing.T, raw []byte, response admission.Response) []byte {
	t.Helper()
	if len(response.Patches) == 0 {
		return raw
	}
	content, err := json.Marshal(response.Patches)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(content)
	if err != nil {
		t.Fatal(err)
	}
	result, err := patch.Apply(raw)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func injectedPod(t *testing.T, m *mutator, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	var result corev1.Pod
	if err := json.Unmarshal(injected(t, m, raw), &result); err != nil {
		t.Fatal(err)
	}
	return &result
}
