// Package owner says to whom a name belongs that is unique in the cluster, as names of Azure's resources are.
package owner

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Field selects objects in caches with Index, by name in any namespace.
const Field = "metadata.name"

// Index makes a cache able to find objects of a kind by name.
func Index(ctx context.Context, indexer client.FieldIndexer, kind client.Object) error {
	if err := indexer.IndexField(ctx, kind, Field, Values); err != nil {
		return fmt.Errorf("index %T by name: %w", kind, err)
	}
	return nil
}

// Values returns the values of Field.
func Values(object client.Object) []string { return []string{object.GetName()} }

// Of returns the oldest object with a name, to which the name belongs, or nil. The status of an object proves nothing: others than the controller
// may have the right to write it.
func Of[T any, P interface {
	*T
	client.Object
}](name string, all []T) P {
	var owner P
	for i := range all {
		if one := P(&all[i]); one.GetName() == name && (owner == nil || isOlder(one, owner)) {
			owner = one
		}
	}
	return owner
}

// isOlder orders objects by age, and those of the same second by namespace.
func isOlder(one, other client.Object) bool {
	mine, others := one.GetCreationTimestamp(), other.GetCreationTimestamp()
	if mine.Equal(&others) {
		return one.GetNamespace() < other.GetNamespace()
	}
	return mine.Before(&others)
}
