package census

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
)

// surroundings are what a grant depends on beside a ServiceAccount and an identity.
type surroundings struct {
	// labels returns the labels of a namespace; none if it does not exist.
	labels func(namespace string) (map[string]string, error)

	// bindings returns the bindings of a ServiceAccount's namespace, at least those that map it.
	bindings func(account *metav1.PartialObjectMetadata) ([]v1alpha1.IdentityBinding, error)
}

// fromCache looks up what is asked for, in a cache with Index.
func fromCache(ctx context.Context, cached client.Reader) surroundings {
	return surroundings{
		labels: func(name string) (map[string]string, error) {
			namespace := directory.Metadata("Namespace")
			err := cached.Get(ctx, client.ObjectKey{Name: name}, namespace, client.UnsafeDisableDeepCopy)
			if err != nil && !apierrors.IsNotFound(err) {
				return nil, fmt.Errorf("read the namespace %s: %w", name, err)
			}
			return namespace.Labels, nil
		},
		bindings: func(account *metav1.PartialObjectMetadata) ([]v1alpha1.IdentityBinding, error) {
			return Mapping(ctx, cached, keyOf(account))
		},
	}
}

// readAll reads all namespaces and bindings at once.
func readAll(ctx context.Context, reader client.Reader) (surroundings, error) {
	namespaces := directory.MetadataList("NamespaceList")
	if err := reader.List(ctx, namespaces); err != nil {
		return surroundings{}, fmt.Errorf("list the namespaces: %w", err)
	}
	labels := map[string]map[string]string{}
	for _, namespace := range namespaces.Items {
		labels[namespace.Name] = namespace.Labels
	}
	var list v1alpha1.IdentityBindingList
	if err := reader.List(ctx, &list); err != nil {
		return surroundings{}, fmt.Errorf("list the bindings: %w", err)
	}
	bindings := map[string][]v1alpha1.IdentityBinding{}
	for _, binding := range list.Items {
		bindings[binding.Namespace] = append(bindings[binding.Namespace], binding)
	}
	return surroundings{
		labels: func(namespace string) (map[string]string, error) { return labels[namespace], nil },
		bindings: func(account *metav1.PartialObjectMetadata) ([]v1alpha1.IdentityBinding, error) {
			return bindings[account.Namespace], nil
		},
	}, nil
}
