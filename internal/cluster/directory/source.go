package directory

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/failure"
)

// Source is where a Directory looks things up. What does not exist is nil; of what is not known yet the error is ErrNotKnown.
// What it answers with is shared, and not to be changed.
type Source interface {
	Pod(ctx context.Context, uid string) (*corev1.Pod, error)
	Node(ctx context.Context, name string) (*corev1.Node, error)

	// ServiceAccount and Namespace are metadata, as far as a grant reads them.
	ServiceAccount(ctx context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error)
	Namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error)

	Identity(ctx context.Context, name string) (*v1alpha1.ManagedIdentity, error)
	Bindings(ctx context.Context, namespace string) ([]v1alpha1.IdentityBinding, error)

	// LoadBalancers are the Services of type LoadBalancer in a namespace.
	LoadBalancers(ctx context.Context, namespace string) ([]corev1.Service, error)
}

// ErrNotKnown says of something that nobody knows yet whether it exists. Nothing is decided by that.
var ErrNotKnown error = failure.NotNow("what the pod hangs on is not known yet")
