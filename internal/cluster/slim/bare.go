package slim

import (
	"k8s.io/apimachinery/pkg/api/meta"
)

// Bare drops labels, annotations, owners, finalizers and managed fields, of objects whose names, times and contents are all
// that is read.
func Bare(object any) (any, error) {
	kept, err := meta.Accessor(object)
	if err != nil {
		return object, nil
	}
	kept.SetLabels(nil)
	kept.SetAnnotations(nil)
	kept.SetOwnerReferences(nil)
	kept.SetFinalizers(nil)
	kept.SetManagedFields(nil)
	return object, nil
}
