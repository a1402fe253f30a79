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
)

// The bounds of what is kept, in bytes.
const (
	// maxLabels is for all labels of a namespace or a pod, names and values. The API server sets no bound.
	maxLabels = 32 << 10

	// maxData is for one annotation with data for IMDS, as Azure bounds it: 64 KiB, in base64.
	maxData = 88 << 10

	// maxMessage is for a condition's message.
	maxMessage = 1 << 10
)

// Metadata keeps of a ServiceAccount's metadata its annotation, and of a namespace's its labels; nothing else of either.
func Metadata(object any) (any, error) {
	metadata, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	slim := &metav1.PartialObjectMetadata{TypeMeta: metadata.TypeMeta, ObjectMeta: identifying(metadata.ObjectMeta)}
	if metadata.Namespace == "" {
		slim.Labels = namespaceLabels(metadata.Labels)
	} else {
		slim.Annotations = identityAnnotation(metadata.Annotations)
	}
	return slim, nil
}

// identifying is what says which object it is, and when it was made and deleted.
func identifying(meta metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: meta.Name, Namespace: meta.Namespace, UID: meta.UID, ResourceVersion: meta.ResourceVersion,
		Generation: meta.Generation, CreationTimestamp: meta.CreationTimestamp, DeletionTimestamp: meta.DeletionTimestamp,
	}
}

// namespaceLabels are all labels, for selectors may ask for any; or one that says that they are too many, by which a grant
// refuses everything: without a label a selector might admit whom it would not admit with it.
func namespaceLabels(labels map[string]string) map[string]string {
	if size(labels) > maxLabels {
		return map[string]string{grant.LabelsCut: ""}
	}
	return labels
}

// identityAnnotation is the one annotation that a grant reads. What is longer than it may be stays so, and is refused.
func identityAnnotation(annotations map[string]string) map[string]string {
	value, found := annotations[v1alpha1.IdentityAnnotation]
	if !found {
		return nil
	}
	return map[string]string{v1alpha1.IdentityAnnotation: cut(value, grant.MaxAnnotation+1)}
}

// size is how many bytes names and values have.
func size(entries map[string]string) int {
	sum := 0
	for name, value := range entries {
		sum += len(name) + len(value)
	}
	return sum
}

// firstLabels are as many as fit, in the order of their names.
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

// cut is the beginning of a text, in memory of its own: the whole is not kept for it.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return string([]byte(text[:most]))
}

// first is the beginning of a list, in memory of its own.
func first[T any](list []T, most int) []T {
	if len(list) <= most {
		return list
	}
	return slices.Clone(list[:most])
}
