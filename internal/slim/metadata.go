// Package slim cuts objects of Kubernetes down to what a decision reads, before a cache keeps them: who may write a
// ServiceAccount in some namespace must not decide how much memory every node needs. Its functions are transforms of
// caches (client-go's cache.TransformFunc). What has none of the accessors of metadata is left as it is.
package slim

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// maxLabels bounds the labels of a namespace that are kept, in bytes of their names and values.
const maxLabels = 16 << 10

// ServiceAccount keeps of a ServiceAccount the annotation that asks for identities. One that is too long is cut where the
// grant sees that it is.
func ServiceAccount(object any) (any, error) {
	return strip(object, func(kept metav1.Object) {
		asked, found := kept.GetAnnotations()[v1alpha1.IdentityAnnotation]
		kept.SetAnnotations(nil)
		kept.SetLabels(nil)
		if found {
			kept.SetAnnotations(map[string]string{v1alpha1.IdentityAnnotation: asked[:min(len(asked), grant.MaxAnnotation+1)]})
		}
	})
}

// Namespace keeps the labels of a namespace. Where they are too many there is grant.LabelsCut in their place.
func Namespace(object any) (any, error) {
	return strip(object, func(kept metav1.Object) {
		kept.SetAnnotations(nil)
		if sizeOf(kept.GetLabels()) > maxLabels {
			kept.SetLabels(map[string]string{grant.LabelsCut: ""})
		}
	})
}

// Bare keeps no labels and no annotations: of objects whose names, times and contents alone are read.
func Bare(object any) (any, error) {
	return strip(object, func(kept metav1.Object) {
		kept.SetAnnotations(nil)
		kept.SetLabels(nil)
	})
}

// strip leaves away what is read of no object, and what else cut does.
func strip(object any, cut func(metav1.Object)) (any, error) {
	kept, err := meta.Accessor(object)
	if err != nil {
		return object, nil
	}
	kept.SetManagedFields(nil)
	kept.SetOwnerReferences(nil)
	kept.SetFinalizers(nil)
	cut(kept)
	return object, nil
}

func sizeOf(labels map[string]string) int {
	size := 0
	for name, value := range labels {
		size += len(name) + len(value)
	}
	return size
}
