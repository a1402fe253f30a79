package directory

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/failure"
)

// Source looks objects up. It returns nil for what does not exist, and ErrNotKnown for what it does not know yet. Its
// objects are shared and must not be changed.
type Source interface {
	Pod(ctx context.Context, uid string) (*corev1.Pod, error)
	Node(ctx context.Context, name string) (*corev1.Node, error)

	// ServiceAccount and Namespace return the metadata that a grant reads.
	ServiceAccount(ctx context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error)
	Namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error)

	Identity(ctx context.Context, name string) (*v1alpha1.ManagedIdentity, error)
	Bindings(ctx context.Context, namespace string) ([]v1alpha1.IdentityBinding, error)

	// LoadBalancers returns the Services of type LoadBalancer in a namespace.
	LoadBalancers(ctx context.Context, namespace string) ([]corev1.Service, error)
}

// ErrNotKnown means that it is not known yet whether something exists. Nothing may be decided then.
var ErrNotKnown error = failure.NotNow("what the pod depends on is not known yet")
