package directory

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// PodUIDIndex is the name of the index of pods by UID.
const PodUIDIndex = "metadata.uid"

// IndexPodUID is what PodUIDIndex finds a pod by.
func IndexPodUID(object client.Object) []string { return []string{string(object.GetUID())} }

// Caches are a Source that holds all objects of a kind: what is not in them does not exist.
type Caches struct {
	// Reader reads from caches: pods, Nodes, ServiceAccounts and Namespaces as metadata, identities and bindings.
	Reader client.Reader
}

var _ Source = Caches{}

// Pod is the pod with a UID.
func (c Caches) Pod(ctx context.Context, uid string) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := c.Reader.List(ctx, &pods, client.MatchingFields{PodUIDIndex: uid}); err != nil {
		return nil, fmt.Errorf("look up the pod: %w", err)
	}
	if len(pods.Items) != 1 {
		return nil, nil
	}
	return &pods.Items[0], nil
}

// Node is a node by its name.
func (c Caches) Node(ctx context.Context, name string) (*corev1.Node, error) {
	var node corev1.Node
	if err := c.Reader.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
		return nil, fmt.Errorf("look up the node: %w", err)
	}
	return &node, nil
}

// ServiceAccount is the metadata of a ServiceAccount.
func (c Caches) ServiceAccount(ctx context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	return c.metadata(ctx, "ServiceAccount", client.ObjectKey{Namespace: namespace, Name: name})
}

// Namespace is the metadata of a namespace.
func (c Caches) Namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	return c.metadata(ctx, "Namespace", client.ObjectKey{Name: name})
}

// Identity is a ManagedIdentity by its name.
func (c Caches) Identity(ctx context.Context, name string) (*v1alpha1.ManagedIdentity, error) {
	var identity v1alpha1.ManagedIdentity
	err := c.Reader.Get(ctx, client.ObjectKey{Name: name}, &identity)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up ManagedIdentity %q: %w", name, err)
	}
	return &identity, nil
}

// Bindings are all IdentityBindings of a namespace.
func (c Caches) Bindings(ctx context.Context, namespace string) ([]v1alpha1.IdentityBinding, error) {
	var bindings v1alpha1.IdentityBindingList
	if err := c.Reader.List(ctx, &bindings, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("look up the bindings: %w", err)
	}
	return bindings.Items, nil
}

// LoadBalancers are the Services of a namespace, of which the cache holds those of that type.
func (c Caches) LoadBalancers(ctx context.Context, namespace string) ([]corev1.Service, error) {
	var services corev1.ServiceList
	if err := c.Reader.List(ctx, &services, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("look up the Services: %w", err)
	}
	return services.Items, nil
}

// metadata is the metadata of an object of the core group.
func (c Caches) metadata(ctx context.Context, kind string, key client.ObjectKey) (*metav1.PartialObjectMetadata, error) {
	object := Metadata(kind)
	err := c.Reader.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up the %s: %w", kind, err)
	}
	return object, nil
}

// Metadata is an object of the core group of which only the metadata is read.
func Metadata(kind string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return object
}
