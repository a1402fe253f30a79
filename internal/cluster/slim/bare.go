package slim

import (
	"k8s.io/apimachinery/pkg/api/meta"
)

// Bare keeps no labels, annotations, owners, finalizers and managers of fields: for objects whose names, times and contents alone are read.
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
