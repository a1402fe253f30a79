package issuer

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

const tenant = "11111111-2222-4333-8444-555555555555"

// world holds the objects at the API server. Those that are nil do not exist.
type world struct {
	node       *corev1.Node
	namespace  *corev1.Namespace
	account    *corev1.ServiceAccount
	pod        *corev1.Pod
	morePods   []*corev1.Pod
	services   []*corev1.Service
	bindings   []*v1alpha1.IdentityBinding
	identities []*v1alpha1.ManagedIdentity
}

// newWorld returns a world with the pod shop/orders-0 on node-1, whose ServiceAccount is bound to the identity orders, which
// admits it.
func newWorld(changes ...func(*world)) *world {
	w := &world{
		node:      &corev1.Node{ObjectMeta: named("", "node-1", "node-uid")},
		namespace: &corev1.Namespace{ObjectMeta: named("", "shop", "namespace-uid")},
		account:   &corev1.ServiceAccount{ObjectMeta: named("shop", "orders", "account-uid")},
		pod: &corev1.Pod{
			ObjectMeta: named("shop", "orders-0", "pod-uid"),
			Spec:       corev1.PodSpec{NodeName: "node-1", ServiceAccountName: "orders", Volumes: []corev1.Volume{build.IssuerToken()}},
			Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: ordersAddress}}},
		},
		bindings:   []*v1alpha1.IdentityBinding{binding("orders", "orders")},
		identities: []*v1alpha1.ManagedIdentity{identity("orders")},
	}
	for _, change := range changes {
		change(w)
	}
	return w
}

func named(namespace, name, uid string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(uid)}
}

// binding returns a binding of the ServiceAccount orders to identities.
func binding(name string, identities ...string) *v1alpha1.IdentityBinding {
	return &v1alpha1.IdentityBinding{
		ObjectMeta: named("shop", name, "binding-"+name),
		Spec:       v1alpha1.IdentityBindingSpec{ServiceAccounts: []string{"orders"}, Identities: identities},
	}
}

// identity returns a ready identity that admits the namespace shop.
func identity(name string) *v1alpha1.ManagedIdentity {
	made := build.NewIdentity(name).Admitting("shop", "*").Local(tenant).Ready()
	made.UID = types.UID("identity-" + name)
	return made.ManagedIdentity
}

// boundTo binds the pod's ServiceAccount to ready identities.
func boundTo(names ...string) func(*world) {
	return func(w *world) {
		w.bindings, w.identities = []*v1alpha1.IdentityBinding{binding("orders", names...)}, nil
		for _, name := range names {
			w.identities = append(w.identities, identity(name))
		}
	}
}

// withIdentity changes the identity.
func withIdentity(change func(*v1alpha1.ManagedIdentity)) func(*world) {
	return func(w *world) { change(w.identities[0]) }
}

// withPod changes the pod.
func withPod(change func(*corev1.Pod)) func(*world) { return func(w *world) { change(w.pod) } }

// client returns a client of the API server with the server's index.
func (w *world) client(t *testing.T) client.WithWatch {
	t.Helper()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(kinds).WithIndex(&corev1.Pod{}, directory.PodUIDIndex, directory.IndexPodUID)
	if w.node != nil {
		builder.WithObjects(w.node)
	}
	if w.namespace != nil {
		builder.WithObjects(w.namespace)
	}
	if w.account != nil {
		builder.WithObjects(w.account)
	}
	if w.pod != nil {
		builder.WithObjects(w.pod)
	}
	for _, pod := range w.morePods {
		builder.WithObjects(pod)
	}
	for _, service := range w.services {
		builder.WithObjects(service)
	}
	for _, binding := range w.bindings {
		builder.WithObjects(binding)
	}
	for _, identity := range w.identities {
		builder.WithObjects(identity)
	}
	return builder.Build()
}
