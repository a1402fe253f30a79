package explain

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// Reader reads what grants depend on, and finds identities by client ID.
type Reader interface {
	grant.Reader
	IdentityWithClientID(ctx context.Context, clientID string) (*v1alpha1.ManagedIdentity, error)
}

// Overlay reads the objects of files before those of the cluster, as if the files were applied. Identities keep the cluster's status.
type Overlay struct {
	Reader

	namespaces, accounts []*metav1.PartialObjectMetadata
	identities           []*v1alpha1.ManagedIdentity
	bindings             []v1alpha1.IdentityBinding
}

// Add adds an object of a file, and reports whether grants depend on its kind.
func (o *Overlay) Add(object *unstructured.Unstructured) (bool, error) {
	switch object.GroupVersionKind() {
	case v1alpha1.GroupVersion.WithKind("ManagedIdentity"):
		var identity v1alpha1.ManagedIdentity
		if err := convert(object.Object, &identity); err != nil {
			return false, fmt.Errorf("read the ManagedIdentity %s: %w", object.GetName(), err)
		}
		o.identities = append(o.identities, &identity)
		return true, nil
	case v1alpha1.GroupVersion.WithKind("IdentityBinding"):
		var binding v1alpha1.IdentityBinding
		if err := convert(object.Object, &binding); err != nil {
			return false, fmt.Errorf("read the IdentityBinding %s: %w", object.GetName(), err)
		}
		o.bindings = append(o.bindings, binding)
		return true, nil
	}
	metadata := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: object.GetNamespace(), Name: object.GetName(), Labels: object.GetLabels(), Annotations: object.GetAnnotations(),
	}}
	switch object.GetKind() {
	case "Namespace":
		// The API server adds this label.
		metadata.Labels = withLabel(metadata.Labels, "kubernetes.io/metadata.name", metadata.Name)
		o.namespaces = append(o.namespaces, metadata)
		return true, nil
	case "ServiceAccount":
		o.accounts = append(o.accounts, metadata)
		return true, nil
	}
	return false, nil
}

// Namespace returns a file's namespace, or else the cluster's.
func (o *Overlay) Namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	if found := find(o.namespaces, "", name); found != nil {
		return found, nil
	}
	return o.Reader.Namespace(ctx, name)
}

// ServiceAccount returns a file's ServiceAccount, or else the cluster's. A new namespace has its default one.
func (o *Overlay) ServiceAccount(ctx context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	if found := find(o.accounts, namespace, name); found != nil {
		return found, nil
	}
	found, err := o.Reader.ServiceAccount(ctx, namespace, name)
	if found == nil && err == nil && name == "default" && find(o.namespaces, "", namespace) != nil {
		found = &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	}
	return found, err
}

// Identity returns a file's identity with the cluster's status, or else the cluster's.
func (o *Overlay) Identity(ctx context.Context, name string) (*v1alpha1.ManagedIdentity, error) {
	existing, err := o.Reader.Identity(ctx, name)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(o.identities, func(one *v1alpha1.ManagedIdentity) bool { return one.Name == name })
	if i < 0 {
		return existing, nil
	}
	identity := o.identities[i].DeepCopy()
	identity.Status = v1alpha1.ManagedIdentityStatus{}
	if existing != nil {
		identity.Status = existing.Status
	}
	return identity, nil
}

// IdentityWithClientID returns a file's identity with a client ID, or else the cluster's.
func (o *Overlay) IdentityWithClientID(ctx context.Context, clientID string) (*v1alpha1.ManagedIdentity, error) {
	for _, identity := range o.identities {
		if grant.HasClientID(identity, clientID) {
			return o.Identity(ctx, identity.Name)
		}
	}
	return o.Reader.IdentityWithClientID(ctx, clientID)
}

// Bindings returns the bindings of the files and of the cluster. A file's binding replaces the cluster's.
func (o *Overlay) Bindings(ctx context.Context, namespace string) ([]v1alpha1.IdentityBinding, error) {
	bindings, err := o.Reader.Bindings(ctx, namespace)
	if err != nil {
		return nil, err
	}
	for _, binding := range o.bindings {
		if binding.Namespace != namespace {
			continue
		}
		bindings = slices.DeleteFunc(bindings, func(one v1alpha1.IdentityBinding) bool { return one.Name == binding.Name })
		bindings = append(bindings, binding)
	}
	return bindings, nil
}

func find(objects []*metav1.PartialObjectMetadata, namespace, name string) *metav1.PartialObjectMetadata {
	i := slices.IndexFunc(objects, func(one *metav1.PartialObjectMetadata) bool { return one.Namespace == namespace && one.Name == name })
	if i < 0 {
		return nil
	}
	return objects[i]
}

func withLabel(labels map[string]string, name, value string) map[string]string {
	all := map[string]string{name: value}
	for label, value := range labels {
		all[label] = value
	}
	return all
}
