package watched

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
)

// Pod returns the node's pod with a UID.
func (w *Watches) Pod(ctx context.Context, uid string) (*corev1.Pod, error) {
	return w.local.Pod(ctx, uid)
}

// Node returns the Node.
func (w *Watches) Node(ctx context.Context, name string) (*corev1.Node, error) {
	return w.local.Node(ctx, name)
}

// ServiceAccount returns the metadata of a pod's ServiceAccount.
func (w *Watches) ServiceAccount(_ context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	return find[*metav1.PartialObjectMetadata](w.pool, key{serviceAccount, namespace, name})
}

// Namespace returns the metadata of a pod's namespace.
func (w *Watches) Namespace(_ context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	return find[*metav1.PartialObjectMetadata](w.pool, key{namespaces, "", name})
}

// Identity returns an identity that a pod asks for.
func (w *Watches) Identity(_ context.Context, name string) (*v1alpha1.ManagedIdentity, error) {
	if !isName(name) {
		return nil, nil
	}
	return find[*v1alpha1.ManagedIdentity](w.pool, key{identity, "", name})
}

// Bindings returns the bindings of a pod's namespace.
func (w *Watches) Bindings(_ context.Context, namespace string) ([]v1alpha1.IdentityBinding, error) {
	return list(w.pool, key{bindings, namespace, ""}, func(one *v1alpha1.IdentityBinding) v1alpha1.IdentityBinding { return *one })
}

// LoadBalancers returns the Services of type LoadBalancer in a pod's namespace.
func (w *Watches) LoadBalancers(_ context.Context, namespace string) ([]corev1.Service, error) {
	return list(w.pool, key{loadBalancers, namespace, ""}, func(one *corev1.Service) corev1.Service { return *one })
}

// find returns the only object of a watch, or nil.
func find[T any](p *pool, sought key) (none T, err error) {
	on := p.find(sought)
	if on == nil {
		return none, unknown(sought)
	}
	object, known := on.get(sought.name)
	if !known {
		return none, unknown(sought)
	}
	found, _ := object.(T)
	return found, nil
}

// list returns all objects of a watch.
func list[T, V any](p *pool, sought key, value func(T) V) ([]V, error) {
	on := p.find(sought)
	if on == nil {
		return nil, unknown(sought)
	}
	objects, known := on.all()
	if !known {
		return nil, unknown(sought)
	}
	values := make([]V, 0, len(objects))
	for _, object := range objects {
		if one, ok := object.(T); ok {
			values = append(values, value(one))
		}
	}
	return values, nil
}

func unknown(sought key) error {
	return fmt.Errorf("look up %s %s/%s: %w", sought.kind, sought.namespace, sought.name, directory.ErrNotKnown)
}
