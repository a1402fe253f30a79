// Package directory reads from caches what is known of pods, and what they may have.
package directory

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// PodUIDIndex is the name of the index of pods by UID.
const PodUIDIndex = "metadata.uid"

// IndexPodUID is what PodUIDIndex finds a pod by.
func IndexPodUID(object client.Object) []string { return []string{string(object.GetUID())} }

// Directory reads from caches what is known of pods.
type Directory struct {
	// Reader reads from caches: pods, Nodes, ServiceAccounts and Namespaces as metadata, and all identities and bindings.
	Reader client.Reader

	// Changes is told of every change in the caches.
	Changes *Changes
}

// Changed is closed at the next change of what the directory knows.
func (d *Directory) Changed() <-chan struct{} { return d.Changes.Next() }

// Pod is the pod with a UID, or nil.
func (d *Directory) Pod(ctx context.Context, uid string) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := d.Reader.List(ctx, &pods, client.MatchingFields{PodUIDIndex: uid}); err != nil {
		return nil, fmt.Errorf("look up the pod: %w", err)
	}
	if len(pods.Items) != 1 {
		return nil, nil
	}
	return &pods.Items[0], nil
}

// Node is a node by its name.
func (d *Directory) Node(ctx context.Context, name string) (*corev1.Node, error) {
	var node corev1.Node
	if err := d.Reader.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
		return nil, fmt.Errorf("look up the node: %w", err)
	}
	return &node, nil
}

// LoadBalancers are the Services of type LoadBalancer in a namespace.
func (d *Directory) LoadBalancers(ctx context.Context, namespace string) ([]corev1.Service, error) {
	var services corev1.ServiceList
	if err := d.Reader.List(ctx, &services, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("look up the Services: %w", err)
	}
	return services.Items, nil
}

// What is not there was deleted, or is so new that it is not known yet.
var (
	errNoAccount   = reply.Forbidden(reply.ReasonUnauthenticated, "the pod's ServiceAccount was deleted")
	errNoNamespace = reply.Forbidden(reply.ReasonUnknownPod, "the pod's namespace was deleted")
)

// Account is the metadata of a pod's ServiceAccount.
func (d *Directory) Account(ctx context.Context, pod *corev1.Pod) (*metav1.PartialObjectMetadata, error) {
	account, err := d.metadata(ctx, "ServiceAccount", client.ObjectKey{Namespace: pod.Namespace, Name: pod.Spec.ServiceAccountName})
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
	namespace, err := d.metadata(ctx, "Namespace", client.ObjectKey{Name: pod.Namespace})
	if err != nil {
		return grant.Grant{}, err
	}
	if namespace == nil {
		return grant.Grant{}, errNoNamespace
	}
	var bindings v1alpha1.IdentityBindingList
	if err := d.Reader.List(ctx, &bindings, client.InNamespace(pod.Namespace)); err != nil {
		return grant.Grant{}, fmt.Errorf("look up the bindings: %w", err)
	}
	principal := grant.Principal{
		Namespace: pod.Namespace, NamespaceLabels: namespace.Labels, ServiceAccount: account.Name,
		PodAnnotations: pod.Annotations, ServiceAccountAnnotations: account.Annotations, HostNetwork: pod.Spec.HostNetwork,
	}
	return d.decide(ctx, principal, bindings.Items)
}

// decide decides about a principal. An identity that cannot be looked up is not one that does not exist: there is no
// decision then.
func (d *Directory) decide(ctx context.Context, principal grant.Principal, bindings []v1alpha1.IdentityBinding) (grant.Grant, error) {
	var failed error
	decided := grant.Decide(principal, func(name string) *v1alpha1.ManagedIdentity {
		var identity v1alpha1.ManagedIdentity
		err := d.Reader.Get(ctx, client.ObjectKey{Name: name}, &identity)
		if err == nil {
			return &identity
		}
		if !apierrors.IsNotFound(err) {
			failed = fmt.Errorf("look up ManagedIdentity %q: %w", name, err)
		}
		return nil
	}, bindings)
	if failed != nil {
		return grant.Grant{}, failed
	}
	return decided, nil
}

// metadata is the metadata of an object of the core group, or nil if there is none.
func (d *Directory) metadata(ctx context.Context, kind string, key client.ObjectKey) (*metav1.PartialObjectMetadata, error) {
	object := Metadata(kind)
	err := d.Reader.Get(ctx, key, object)
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
