// Package assigned reads the role assignments of resources.
package assigned

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// At returns the role assignments of a resource, which at reports, and of what is in it. Those of identities that do not exist, or have no
// principal, are left out.
func At(ctx context.Context, reader client.Reader, namespace string, at func(v1alpha1.AssignmentScope) bool) ([]role.Assignment, error) {
	return those(ctx, reader, namespace, at, func(object *v1alpha1.RoleAssignment) (role.Assignment, error) {
		return Of(object, Identities(ctx, reader))
	})
}

// those returns the role assignments of a namespace at some scopes that have a principal, as of reads each.
func those(ctx context.Context, reader client.Reader, namespace string, at func(v1alpha1.AssignmentScope) bool,
	of func(*v1alpha1.RoleAssignment) (role.Assignment, error),
) ([]role.Assignment, error) {
	objects, err := List(ctx, reader, namespace)
	if err != nil {
		return nil, err
	}
	var assignments []role.Assignment
	for _, one := range objects {
		if !at(one.Spec.Scope) {
			continue
		}
		assignment, err := of(one)
		if err != nil {
			return nil, err
		}
		if assignment.Principal != "" {
			assignments = append(assignments, assignment)
		}
	}
	return assignments, nil
}

// List returns the RoleAssignments of a namespace that are not deleted.
func List(ctx context.Context, reader client.Reader, namespace string) ([]*v1alpha1.RoleAssignment, error) {
	var list v1alpha1.RoleAssignmentList
	if err := reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list the role assignments of namespace %s: %w", namespace, err)
	}
	var objects []*v1alpha1.RoleAssignment
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp.IsZero() {
			objects = append(objects, &list.Items[i])
		}
	}
	return objects, nil
}

// Of returns the role that an object assigns. Its principal is "" if the identity that it names does not exist or has none. identity returns
// an identity, or nil if it does not exist.
func Of(object *v1alpha1.RoleAssignment, identity func(name string) (*v1alpha1.ManagedIdentity, error)) (role.Assignment, error) {
	assignment := specified(object)
	if name := object.Spec.Principal.Identity; name != "" {
		found, err := identity(name)
		if err != nil {
			return role.Assignment{}, err
		}
		if found != nil {
			assignment.Principal = string(found.Status.PrincipalID)
		}
	}
	return assignment, nil
}

// specified returns the role that an object assigns, to the principal whose object ID it names, if it names one.
func specified(object *v1alpha1.RoleAssignment) role.Assignment {
	scope := object.Spec.Scope
	return role.Assignment{
		Principal: string(object.Spec.Principal.ObjectID), Role: object.Spec.Role,
		Scope: role.Scope{
			Namespace: object.Namespace, KeyVault: scope.KeyVault, StorageAccount: scope.StorageAccount, API: scope.API, Object: ObjectOf(scope),
		},
	}
}

// ObjectOf returns the object of a scope, or nothing if it is a whole vault or account.
func ObjectOf(scope v1alpha1.AssignmentScope) role.Object {
	for kind, name := range map[string]string{
		role.Secrets: scope.Secret, role.Keys: scope.Key, role.Certificates: scope.Certificate,
		role.Containers: scope.Container, role.Queues: scope.Queue, role.Tables: scope.Table,
	} {
		if name != "" {
			return role.Object{Kind: kind, Name: name}
		}
	}
	return role.Object{}
}

// Identities returns what reads identities by name for Of.
func Identities(ctx context.Context, reader client.Reader) func(string) (*v1alpha1.ManagedIdentity, error) {
	return func(name string) (*v1alpha1.ManagedIdentity, error) {
		var identity v1alpha1.ManagedIdentity
		err := reader.Get(ctx, client.ObjectKey{Name: name}, &identity)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read ManagedIdentity %s: %w", name, err)
		}
		return &identity, nil
	}
}
