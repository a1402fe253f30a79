// Package directory looks up what is known of pods, and what they may have.
package directory

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// Directory looks up what is known of pods, and costs the API server nothing.
type Directory struct {
	Source

	// Changes is told of every change of what a pod hangs on.
	Changes *Changes
}

// Changed is closed at the next change of what a pod hangs on.
func (d *Directory) Changed(podUID string) <-chan struct{} { return d.Changes.Of(podUID) }

// What is not there was deleted, or is so new that it is not known yet.
var (
	errNoAccount   = reply.Forbidden(reply.ReasonUnauthenticated, "the pod's ServiceAccount was deleted")
	errNoNamespace = reply.Forbidden(reply.ReasonUnknownPod, "the pod's namespace was deleted")
)

// Account is the metadata of a pod's ServiceAccount.
func (d *Directory) Account(ctx context.Context, pod *corev1.Pod) (*metav1.PartialObjectMetadata, error) {
	account, err := d.ServiceAccount(ctx, pod.Namespace, pod.Spec.ServiceAccountName)
	if err == nil && account == nil {
		return nil, errNoAccount
	}
	return account, err
}

// Grant computes what a pod may have. The ServiceAccount must be the one that its token was made for, not a later one of
// the same name; an empty UID stands for a pod that has shown no token.
func (d *Directory) Grant(ctx context.Context, pod *corev1.Pod, serviceAccountUID string) (grant.Grant, error) {
	account, err := d.Account(ctx, pod)
	if err != nil {
		return grant.Grant{}, err
	}
	if serviceAccountUID != "" && string(account.UID) != serviceAccountUID {
		return grant.Grant{}, reply.Forbidden(reply.ReasonUnauthenticated, "the pod's ServiceAccount was deleted")
	}
	namespace, err := d.Namespace(ctx, pod.Namespace)
	if err != nil {
		return grant.Grant{}, err
	}
	if namespace == nil {
		return grant.Grant{}, errNoNamespace
	}
	bindings, err := d.Bindings(ctx, pod.Namespace)
	if err != nil {
		return grant.Grant{}, err
	}
	return d.decide(ctx, Principal(pod, account, namespace), bindings)
}

// decide decides about a principal. An identity that cannot be looked up is not one that does not exist: there is no
// decision then.
func (d *Directory) decide(ctx context.Context, principal grant.Principal, bindings []v1alpha1.IdentityBinding) (grant.Grant, error) {
	var failed error
	decided := grant.Decide(principal, func(name string) *v1alpha1.ManagedIdentity {
		identity, err := d.Identity(ctx, name)
		if err != nil {
			failed = err
		}
		return identity
	}, bindings)
	if failed != nil {
		return grant.Grant{}, failed
	}
	return decided, nil
}

// Principal is a pod as a grant sees it.
func Principal(pod *corev1.Pod, account, namespace *metav1.PartialObjectMetadata) grant.Principal {
	return grant.Principal{
		Namespace: pod.Namespace, NamespaceLabels: namespace.Labels, ServiceAccount: pod.Spec.ServiceAccountName,
		PodAnnotations: pod.Annotations, ServiceAccountAnnotations: account.Annotations, HostNetwork: pod.Spec.HostNetwork,
	}
}
