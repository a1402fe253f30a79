package directory

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
)

// PodUIDIndex is the name of the index of pods by UID.
const PodUIDIndex = "metadata.uid"

// IndexPodUID returns the value of PodUIDIndex.
func IndexPodUID(object client.Object) []string { return []string{string(object.GetUID())} }

// Caches is a Source of complete caches: an object that is not in them does not exist.
type Caches struct {
	// Reader reads pods, Nodes, identities, bindings, and the metadata of ServiceAccounts and Namespaces.
	Reader client.Reader
}

var _ Source = Caches{}

// Pod returns the pod with a UID.
func (c Caches) Pod(ctx context.Context, uid string) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := c.Reader.List(ctx, &pods, client.MatchingFields{PodUIDIndex: uid}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("look up the pod: %w", err)
	}
	if len(pods.Items) != 1 {
		return nil, nil
	}
	return &pods.Items[0], nil
}

// Node returns a Node.
func (c Caches) Node(ctx context.Context, name string) (*corev1.Node, error) {
	var node corev1.Node
	if err := c.Reader.Get(ctx, client.ObjectKey{Name: name}, &node, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("look up the node: %w", err)
	}
	return &node, nil
}

// ServiceAccount returns the metadata of a ServiceAccount.
func (c Caches) ServiceAccount(ctx context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	return c.metadata(ctx, "ServiceAccount", client.ObjectKey{Namespace: namespace, Name: name})
}

// Namespace returns the metadata of a namespace.
func (c Caches) Namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	return c.metadata(ctx, "Namespace", client.ObjectKey{Name: name})
}

// Identity returns a ManagedIdentity.
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

// IdentityWithClientID returns the ManagedIdentity with a client ID. A cache needs the index of package clientid for it.
func (c Caches) IdentityWithClientID(ctx context.Context, clientID string) (*v1alpha1.ManagedIdentity, error) {
	return clientid.Find(ctx, c.Reader, clientID)
}

// Bindings returns the IdentityBindings of a namespace.
func (c Caches) Bindings(ctx context.Context, namespace string) ([]v1alpha1.IdentityBinding, error) {
	var bindings v1alpha1.IdentityBindingList
	if err := c.Reader.List(ctx, &bindings, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("look up the bindings: %w", err)
	}
	return bindings.Items, nil
}

// LoadBalancers returns the Services of a namespace. The cache holds those of type LoadBalancer only.
func (c Caches) LoadBalancers(ctx context.Context, namespace string) ([]corev1.Service, error) {
	var services corev1.ServiceList
	if err := c.Reader.List(ctx, &services, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("look up the Services: %w", err)
	}
	return services.Items, nil
}

// metadata returns the metadata of an object of the core group.
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

// Metadata returns an empty object of the core group to read metadata into.
func Metadata(kind string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return object
}

// MetadataList returns a list to read metadata of the core group into.
func MetadataList(kind string) *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return list
}
