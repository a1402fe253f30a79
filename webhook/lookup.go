package webhook

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// maxLive is how many identities that are not cached one pod makes the API server read. Who applies a pod together with
// new identities has a few of them.
const maxLive = 4

// lookup reads what a pod's grant hangs on: from caches, and from the API server what was made together with the pod.
type lookup struct {
	cached client.Reader
	live   client.Reader
}

// grant computes what a pod may have.
func (l lookup) grant(ctx context.Context, pod *corev1.Pod) (grant.Grant, error) {
	account := pod.Spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	namespaceLabels, err := l.metadata(ctx, "Namespace", client.ObjectKey{Name: pod.Namespace})
	if err != nil {
		return grant.Grant{}, err
	}
	accountMetadata, err := l.metadata(ctx, "ServiceAccount", client.ObjectKey{Namespace: pod.Namespace, Name: account})
	if err != nil {
		return grant.Grant{}, err
	}
	var bindings v1alpha1.IdentityBindingList
	if err := l.cached.List(ctx, &bindings, client.InNamespace(pod.Namespace)); err != nil {
		return grant.Grant{}, fmt.Errorf("list the bindings of namespace %s: %w", pod.Namespace, err)
	}
	var failed error
	live := maxLive
	decided := grant.Decide(grant.Principal{
		Namespace: pod.Namespace, NamespaceLabels: namespaceLabels.Labels, ServiceAccount: account,
		PodAnnotations: pod.Annotations, ServiceAccountAnnotations: accountMetadata.Annotations, HostNetwork: pod.Spec.HostNetwork,
	}, func(name string) *v1alpha1.ManagedIdentity {
		identity, err := l.identity(ctx, name, &live)
		failed = errors.Join(failed, err)
		return identity
	}, bindings.Items)
	if failed != nil {
		// What could not be read may well exist: say that, and not that it does not.
		return grant.Grant{}, failed
	}
	return decided, nil
}

// identity looks an identity up; nil is none. One that is not cached may have been made just before the pod; so many of
// them are asked for live.
func (l lookup) identity(ctx context.Context, name string, live *int) (*v1alpha1.ManagedIdentity, error) {
	if len(content.IsPathSegmentName(name)) > 0 || len(name) > validation.DNS1123SubdomainMaxLength {
		return nil, nil
	}
	var identity v1alpha1.ManagedIdentity
	err := l.cached.Get(ctx, client.ObjectKey{Name: name}, &identity)
	if apierrors.IsNotFound(err) {
		if *live == 0 {
			return nil, fmt.Errorf("ManagedIdentity %q is not known yet, and %d others are not either: try again once they exist", name, maxLive)
		}
		*live--
		err = l.live.Get(ctx, client.ObjectKey{Name: name}, &identity)
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the ManagedIdentity %s: %w", name, err)
	}
	return &identity, nil
}

// metadata is that of an object of the core group.
func (l lookup) metadata(ctx context.Context, kind string, key client.ObjectKey) (*metav1.PartialObjectMetadata, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	err := l.cached.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		err = l.live.Get(ctx, key, object)
	}
	if err != nil {
		return nil, fmt.Errorf("read the %s %s of the pod: %w", kind, key.Name, err)
	}
	return object, nil
}
