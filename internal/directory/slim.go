package directory

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// SlimMetadata keeps what a grant hangs on: a namespace's labels and a ServiceAccount's annotation.
func SlimMetadata(object any) (any, error) {
	metadata, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	return &metav1.PartialObjectMetadata{
		TypeMeta: metadata.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Name: metadata.Name, Namespace: metadata.Namespace, UID: metadata.UID, ResourceVersion: metadata.ResourceVersion,
			Labels: metadata.Labels, Annotations: Only(metadata.Annotations, v1alpha1.IdentityAnnotation),
		},
	}, nil
}

// Only keeps the entries of a map that are named.
func Only(values map[string]string, names ...string) map[string]string {
	var kept map[string]string
	for _, name := range names {
		if value, found := values[name]; found {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[name] = value
		}
	}
	return kept
}
