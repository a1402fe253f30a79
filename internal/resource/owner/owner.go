// Package owner says to whom a name belongs that is unique in the cluster, as names of Azure's resources are.
package owner

import "sigs.k8s.io/controller-runtime/pkg/client"

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
