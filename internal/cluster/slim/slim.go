// Package slim cuts what caches keep of objects to what a decision reads, and bounds that: editors of namespaces can give
// an object a megabyte of labels, and one cache holds the objects of a whole cluster. Its functions are transforms of informers,
// which apply them to one object after the other as a watch tells of them, before any is kept. What they do not know they leave
// as it is, as the tombstones that caches hand them.
package slim

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// The bounds in bytes.
const (
	// maxLabels bounds all labels of a namespace or a pod, names and values. The API server sets no bound.
	maxLabels = 32 << 10

	// maxData bounds one annotation with data for IMDS, as Azure does: 64 KiB in base64.
	maxData = 88 << 10

	// maxShort bounds an annotation with a GUID or a number, and perhaps blanks around it.
	maxShort = 128

	// maxMessage bounds a condition's message.
	maxMessage = 1 << 10
)

// Metadata keeps the annotations of a ServiceAccount that are read, and the labels of a namespace.
func Metadata(object any) (any, error) {
	metadata, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	slim := &metav1.PartialObjectMetadata{TypeMeta: metadata.TypeMeta, ObjectMeta: identifying(metadata.ObjectMeta)}
	if metadata.Namespace == "" {
		slim.Labels = namespaceLabels(metadata.Labels)
	} else {
		slim.Annotations = GrantAnnotations(metadata.Annotations)
	}
	return slim, nil
}

// identifying keeps what identifies an object, and its times of creation and deletion.
func identifying(meta metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: meta.Name, Namespace: meta.Namespace, UID: meta.UID, ResourceVersion: meta.ResourceVersion,
		Generation: meta.Generation, CreationTimestamp: meta.CreationTimestamp, DeletionTimestamp: meta.DeletionTimestamp,
	}
}

// namespaceLabels keeps all labels, because selectors may use any of them. If they are too many it returns a label by which
// a grant refuses everything: with a label missing, a selector might admit what it should not.
func namespaceLabels(labels map[string]string) map[string]string {
	if size(labels) > maxLabels {
		return map[string]string{grant.LabelsCut: ""}
	}
	return labels
}

// bounds are the annotations of pods and ServiceAccounts that a grant or the webhook reads, and the bytes that it reads of each.
var bounds = map[string]int{
	v1alpha1.IdentityAnnotation:           grant.MaxAnnotation,
	v1alpha1.WorkloadIdentityAnnotation:   grant.MaxName,
	workloadidentity.ClientIDAnnotation:   maxShort,
	workloadidentity.TenantIDAnnotation:   maxShort,
	workloadidentity.ExpirationAnnotation: maxShort,
}

// GrantAnnotations keeps the annotations of a pod or a ServiceAccount that are read. One that is too long stays too long, so that it is refused.
func GrantAnnotations(annotations map[string]string) map[string]string {
	var kept map[string]string
	for name, most := range bounds {
		if value, found := annotations[name]; found {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[name] = cut(value, most+1)
		}
	}
	return kept
}

// size returns the bytes of names and values.
func size(entries map[string]string) int {
	sum := 0
	for name, value := range entries {
		sum += len(name) + len(value)
	}
	return sum
}

// firstLabels returns as many labels as fit, sorted by name.
func firstLabels(labels map[string]string) map[string]string {
	if size(labels) <= maxLabels {
		return labels
	}
	kept, room := map[string]string{}, maxLabels
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if room -= len(name) + len(labels[name]); room < 0 {
			break
		}
		kept[name] = labels[name]
	}
	return kept
}

// cut returns a copy of the beginning of a text, so that the whole text can be freed.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return string([]byte(text[:most]))
}

// first returns a copy of the beginning of a list.
func first[T any](list []T, most int) []T {
	if len(list) <= most {
		return list
	}
	return slices.Clone(list[:most])
}
