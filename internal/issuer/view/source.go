package view

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// Pod returns the node's pod with a UID. A view names all pods, so others do not exist.
func (v *View) Pod(_ context.Context, uid string) (*corev1.Pod, error) {
	pod, err := find[*corev1.Pod](v, signerapi.ViewKey{Kind: signerapi.ViewPod, Name: uid})
	if err != nil && v.Ready() {
		return nil, nil
	}
	return pod, err
}

// Node returns the Node.
func (v *View) Node(_ context.Context, name string) (*corev1.Node, error) {
	node, err := find[*corev1.Node](v, signerapi.ViewKey{Kind: signerapi.ViewNode, Name: name})
	if err == nil && node == nil {
		return nil, fmt.Errorf("look up Node %s: there is none", name)
	}
	return node, err
}

// ServiceAccount returns the metadata of a pod's ServiceAccount.
func (v *View) ServiceAccount(_ context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	return find[*metav1.PartialObjectMetadata](v, signerapi.ViewKey{Kind: signerapi.ViewServiceAccount, Namespace: namespace, Name: name})
}

// Namespace returns the metadata of a pod's namespace.
func (v *View) Namespace(_ context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	return find[*metav1.PartialObjectMetadata](v, signerapi.ViewKey{Kind: signerapi.ViewNamespace, Name: name})
}

// Identity returns an identity that a pod asks for. A view names none that cannot have this name.
func (v *View) Identity(_ context.Context, name string) (*v1alpha1.ManagedIdentity, error) {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return nil, nil
	}
	return find[*v1alpha1.ManagedIdentity](v, signerapi.ViewKey{Kind: signerapi.ViewIdentity, Name: name})
}

// Bindings returns those bindings of a pod's namespace that decide for pods of the node.
func (v *View) Bindings(_ context.Context, namespace string) ([]v1alpha1.IdentityBinding, error) {
	return find[[]v1alpha1.IdentityBinding](v, signerapi.ViewKey{Kind: signerapi.ViewBindings, Namespace: namespace})
}

// LoadBalancers returns those Services of type LoadBalancer in a pod's namespace that lead to pods of the node.
func (v *View) LoadBalancers(_ context.Context, namespace string) ([]corev1.Service, error) {
	return find[[]corev1.Service](v, signerapi.ViewKey{Kind: signerapi.ViewLoadBalancers, Namespace: namespace})
}

// find returns the value of a key: an object or nil, or a list.
func find[T any](v *View, key signerapi.ViewKey) (none T, err error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	known, found := v.parts[key]
	if !found {
		return none, fmt.Errorf("look up %s %s/%s: %w", key.Kind, key.Namespace, key.Name, directory.ErrNotKnown)
	}
	value, _ := known.value.(T)
	return value, nil
}
