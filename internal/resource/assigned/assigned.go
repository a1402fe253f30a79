// Package assigned reads the role assignments of a resource from a cache.
package assigned

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// At returns the role assignments of a resource, which at reports, and of what is in it. Those of identities that do not exist, or have no
// principal, are left out.
func At(ctx context.Context, reader client.Reader, namespace string, at func(v1alpha1.AssignmentScope) bool) ([]role.Assignment, error) {
	var list v1alpha1.RoleAssignmentList
	if err := reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list the role assignments of namespace %s: %w", namespace, err)
	}
	var assignments []role.Assignment
	for _, one := range list.Items {
		if !at(one.Spec.Scope) || !one.DeletionTimestamp.IsZero() {
			continue
		}
		principal, err := principalOf(ctx, reader, one.Spec.Principal)
		if err != nil {
			return nil, err
		}
		if principal != "" {
			assignments = append(assignments, role.Assignment{Principal: principal, Role: one.Spec.Role, Scope: scopeOf(one.Namespace, one.Spec.Scope)})
		}
	}
	return assignments, nil
}

func scopeOf(namespace string, scope v1alpha1.AssignmentScope) role.Scope {
	return role.Scope{Namespace: namespace, KeyVault: scope.KeyVault, StorageAccount: scope.StorageAccount, Object: objectOf(scope)}
}

// objectOf returns the object that a scope names, at most one.
func objectOf(scope v1alpha1.AssignmentScope) role.Object {
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

// principalOf returns the object ID of a principal, or "".
func principalOf(ctx context.Context, reader client.Reader, assigned v1alpha1.AssignedPrincipal) (string, error) {
	if assigned.Identity == "" {
		return string(assigned.ObjectID), nil
	}
	var identity v1alpha1.ManagedIdentity
	err := reader.Get(ctx, client.ObjectKey{Name: assigned.Identity}, &identity)
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("read ManagedIdentity %s: %w", assigned.Identity, err)
	}
	return string(identity.Status.PrincipalID), nil
}
