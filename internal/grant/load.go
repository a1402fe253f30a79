package grant

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Reader reads what a grant depends on. It returns nil for what does not exist, and an error for what it cannot read.
type Reader interface {
	ServiceAccount(ctx context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error)
	Namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error)
	Bindings(ctx context.Context, namespace string) ([]v1alpha1.IdentityBinding, error)
	Identity(ctx context.Context, name string) (*v1alpha1.ManagedIdentity, error)
}

// Errors of Load.
var (
	ErrNoServiceAccount    = errors.New("the pod's ServiceAccount does not exist")
	ErrOtherServiceAccount = errors.New("the pod's ServiceAccount was deleted and created again")
	ErrNoNamespace         = errors.New("the pod's namespace does not exist")
)

// Load reads what the grant of a pod depends on, and decides. accountUID is the UID of the ServiceAccount that the pod's token
// names; "" accepts any. If something cannot be read there is an error and no grant: what cannot be read may well exist.
func Load(ctx context.Context, reader Reader, pod *corev1.Pod, accountUID string) (Grant, error) {
	account, err := reader.ServiceAccount(ctx, pod.Namespace, pod.Spec.ServiceAccountName)
	if err != nil {
		return Grant{}, err
	}
	if account == nil {
		return Grant{}, ErrNoServiceAccount
	}
	if accountUID != "" && string(account.UID) != accountUID {
		return Grant{}, ErrOtherServiceAccount
	}
	namespace, err := reader.Namespace(ctx, pod.Namespace)
	if err != nil {
		return Grant{}, err
	}
	if namespace == nil {
		return Grant{}, ErrNoNamespace
	}
	bindings, err := reader.Bindings(ctx, pod.Namespace)
	if err != nil {
		return Grant{}, err
	}
	lookup := func(name string) (*v1alpha1.ManagedIdentity, error) { return reader.Identity(ctx, name) }
	return Decide(PrincipalOf(pod, account, namespace), lookup, bindings)
}

// PrincipalOf returns the principal of a pod with the metadata of its ServiceAccount and namespace.
func PrincipalOf(pod *corev1.Pod, account, namespace *metav1.PartialObjectMetadata) Principal {
	return Principal{
		Namespace: pod.Namespace, NamespaceLabels: namespace.Labels, ServiceAccount: pod.Spec.ServiceAccountName,
		PodAnnotations: pod.Annotations, ServiceAccountAnnotations: account.Annotations, HostNetwork: pod.Spec.HostNetwork,
	}
}
