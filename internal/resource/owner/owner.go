// Package owner says to whom a name belongs that is unique in the cluster, as names of Azure's resources are.
package owner

import (
	"cmp"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Field selects objects by name in any namespace, in caches that are indexed by Values.
const Field = "metadata.name"

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
		if one := P(&all[i]); one.GetName() == name && (owner == nil || IsOlder(one, owner)) {
			owner = one
		}
	}
	return owner
}

// IsOlder orders objects by age, and those of the same second by namespace and name. What two objects want belongs to the older one.
func IsOlder(one, other client.Object) bool {
	mine, others := one.GetCreationTimestamp(), other.GetCreationTimestamp()
	if !mine.Equal(&others) {
		return mine.Before(&others)
	}
	return cmp.Or(cmp.Compare(one.GetNamespace(), other.GetNamespace()), cmp.Compare(one.GetName(), other.GetName())) < 0
}
