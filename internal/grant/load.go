package grant

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
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

// WithWorkloadIdentity returns a pod with the WorkloadIdentityAnnotation that the webhook gives it: the name of the identity with
// the client ID of the ServiceAccount's annotation, for pods with the label of azure-workload-identity, and none for others. The
// refusal says that there is no such identity.
func WithWorkloadIdentity(ctx context.Context, reader Reader,
	find func(ctx context.Context, clientID string) (*v1alpha1.ManagedIdentity, error), pod *corev1.Pod,
) (*corev1.Pod, *Refusal, error) {
	annotated := *pod
	annotated.Annotations = maps.Clone(pod.Annotations)
	delete(annotated.Annotations, v1alpha1.WorkloadIdentityAnnotation)
	if pod.Labels[workloadidentity.UseLabel] != "true" {
		return &annotated, nil, nil
	}
	account, err := reader.ServiceAccount(ctx, pod.Namespace, pod.Spec.ServiceAccountName)
	if err != nil || account == nil {
		// Load reports that there is none.
		return &annotated, nil, err
	}
	clientID := account.Annotations[workloadidentity.ClientIDAnnotation]
	if clientID == "" {
		return &annotated, nil, nil
	}
	identity, err := find(ctx, clientID)
	if err != nil {
		return nil, nil, err
	}
	if identity == nil {
		return &annotated, noIdentityWithClientID(account, clientID), nil
	}
	if annotated.Annotations == nil {
		annotated.Annotations = map[string]string{}
	}
	annotated.Annotations[v1alpha1.WorkloadIdentityAnnotation] = identity.Name
	return &annotated, nil, nil
}

// maxQuoted bounds a client ID in a message. A GUID has 36 characters.
const maxQuoted = 64

func noIdentityWithClientID(account *metav1.PartialObjectMetadata, clientID string) *Refusal {
	return &Refusal{Reason: ReasonNotFound, Message: fmt.Sprintf(
		"no ManagedIdentity has the spec.clientID %q, which the ServiceAccount %q asks for with the annotation %s: "+
			"its administrator can create one (kubectl imds convert prints it)",
		clientID[:min(len(clientID), maxQuoted)], account.Name, workloadidentity.ClientIDAnnotation)}
}

// PrincipalOf returns the principal of a pod with the metadata of its ServiceAccount and namespace.
func PrincipalOf(pod *corev1.Pod, account, namespace *metav1.PartialObjectMetadata) Principal {
	return Principal{
		Namespace: pod.Namespace, NamespaceLabels: namespace.Labels, ServiceAccount: pod.Spec.ServiceAccountName,
		PodAnnotations: pod.Annotations, ServiceAccountAnnotations: account.Annotations, HostNetwork: pod.Spec.HostNetwork,
	}
}
