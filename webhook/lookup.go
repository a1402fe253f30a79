package webhook

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// maxLive bounds the identities that one pod makes the API server read because they are not cached. A pod that is applied
// together with new identities has a few of them.
const maxLive = 4

// onlyRead has a cache hand out its objects themselves, which nobody may change.
var onlyRead = &client.GetOptions{UnsafeDisableDeepCopy: new(true)}

// lookup reads what a pod's grant depends on: from caches, and from the API server what was created together with the pod.
type lookup struct {
	cached client.Reader
	live   client.Reader
}

// grant returns what a pod may have, and what it gets if it asks as manifests for azure-workload-identity do. Unless labelled, its
// label is ignored.
func (l lookup) grant(ctx context.Context, pod *corev1.Pod, labelled bool) (grant.Grant, *workloadIdentity, error) {
	subject := *pod
	subject.Spec.ServiceAccountName = accountOf(pod)
	if !labelled {
		subject.Labels = nil
	}
	reader := &podLookup{lookup: l, live: maxLive}
	annotated, missing, err := grant.WithWorkloadIdentity(ctx, reader, reader.IdentityWithClientID, &subject)
	if err != nil {
		return grant.Grant{}, nil, err
	}
	decided, err := grant.Load(ctx, reader, annotated, "")
	if err != nil {
		return decided, nil, err
	}
	if missing != nil {
		decided.Refusals = append(decided.Refusals, *missing)
	}
	workload, err := reader.workloadOf(ctx, annotated, decided)
	return decided, workload, err
}

// accountOf returns the name of a pod's ServiceAccount.
func accountOf(pod *corev1.Pod) string { return cmp.Or(pod.Spec.ServiceAccountName, "default") }

// workloadOf returns what a pod gets for the identity of its WorkloadIdentityAnnotation, if it may have that.
func (a *podLookup) workloadOf(ctx context.Context, pod *corev1.Pod, decided grant.Grant) (*workloadIdentity, error) {
	name := pod.Annotations[v1alpha1.WorkloadIdentityAnnotation]
	for _, identity := range slices.Concat(decided.Identities, decided.Pending) {
		if identity.Name != name {
			continue
		}
		account, err := a.ServiceAccount(ctx, pod.Namespace, pod.Spec.ServiceAccountName)
		if err != nil {
			return nil, err
		}
		return &workloadIdentity{identity: identity, account: account.Annotations}, nil
	}
	return nil, nil
}

// podLookup is a lookup for one pod that is admitted.
type podLookup struct {
	lookup

	// live is how many identities may still be read from the API server.
	live int

	// account is the pod's ServiceAccount once it is read.
	account *metav1.PartialObjectMetadata
}

var _ grant.Reader = (*podLookup)(nil)

// ServiceAccount returns the metadata of the pod's ServiceAccount, which is read once. That it does not exist is an error.
func (a *podLookup) ServiceAccount(ctx context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	if a.account != nil {
		return a.account, nil
	}
	account, err := a.metadata(ctx, "ServiceAccount", client.ObjectKey{Namespace: namespace, Name: name})
	if err == nil {
		a.account = account
	}
	return account, err
}

// Namespace returns the metadata of a namespace. That it does not exist is an error.
func (a *podLookup) Namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	return a.metadata(ctx, "Namespace", client.ObjectKey{Name: name})
}

// Bindings returns the bindings of a namespace, from the cache.
func (a *podLookup) Bindings(ctx context.Context, namespace string) ([]v1alpha1.IdentityBinding, error) {
	var bindings v1alpha1.IdentityBindingList
	if err := a.cached.List(ctx, &bindings, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the bindings of namespace %s: %w", namespace, err)
	}
	return bindings.Items, nil
}

// Identity returns an identity, or nil if it does not exist. One that is not cached may have been created just before the pod, so
// maxLive of them are read from the API server.
func (a *podLookup) Identity(ctx context.Context, name string) (*v1alpha1.ManagedIdentity, error) {
	if len(content.IsPathSegmentName(name)) > 0 || len(name) > validation.DNS1123SubdomainMaxLength {
		return nil, nil
	}
	var identity v1alpha1.ManagedIdentity
	err := a.cached.Get(ctx, client.ObjectKey{Name: name}, &identity, onlyRead)
	if apierrors.IsNotFound(err) {
		if a.live == 0 {
			return nil, fmt.Errorf("ManagedIdentity %q is not known yet, and %d others are not either: try again once they exist", name, maxLive)
		}
		a.live--
		err = a.lookup.live.Get(ctx, client.ObjectKey{Name: name}, &identity)
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the ManagedIdentity %s: %w", name, err)
	}
	return &identity, nil
}

// IdentityWithClientID returns the identity with a client ID, from the cache or else the API server.
func (a *podLookup) IdentityWithClientID(ctx context.Context, clientID string) (*v1alpha1.ManagedIdentity, error) {
	identity, err := clientid.Find(ctx, a.cached, clientID)
	if err != nil || identity != nil {
		return identity, err
	}
	return clientid.Find(ctx, a.lookup.live, clientID)
}

// metadata returns the metadata of an object of the core group, from the cache or else the API server.
func (l lookup) metadata(ctx context.Context, kind string, key client.ObjectKey) (*metav1.PartialObjectMetadata, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	err := l.cached.Get(ctx, key, object, onlyRead)
	if apierrors.IsNotFound(err) {
		err = l.live.Get(ctx, key, object)
	}
	if err != nil {
		return nil, fmt.Errorf("read the %s %s of the pod: %w", kind, key.Name, err)
	}
	return object, nil
}
