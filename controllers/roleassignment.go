package controllers

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// RoleAssignmentReconciler maintains the status of role assignments.
type RoleAssignmentReconciler struct {
	Client client.Client
	Events events.EventRecorder

	unresolved unresolved
}

// SetupWithManager registers the reconciler and its index. Index does not: where nothing has roles, the controller may not read assignments.
func (r *RoleAssignmentReconciler) SetupWithManager(manager ctrl.Manager) error {
	r.unresolved = newUnresolved(time.Now)
	err := manager.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.RoleAssignment{}, namedIndex, namedByAssignment)
	if err != nil {
		return fmt.Errorf("index the RoleAssignments by what they name: %w", err)
	}
	isThere := builder.WithPredicates(comesOrGoes, afterStart)
	err = ctrl.NewControllerManagedBy(manager).
		Named("roleassignment").
		For(&v1alpha1.RoleAssignment{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.KeyVault{}, handler.EnqueueRequestsFromMapFunc(r.at("KeyVault")), isThere).
		Watches(&v1alpha1.StorageAccount{}, handler.EnqueueRequestsFromMapFunc(r.at("StorageAccount")), isThere).
		Watches(&v1alpha1.ManagedIdentity{}, handler.EnqueueRequestsFromMapFunc(r.of), builder.WithPredicates(principalChanged, afterStart)).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the reconciler of RoleAssignments: %w", err)
	}
	return nil
}

// Reconcile updates the status of one assignment.
func (r *RoleAssignmentReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var assignment v1alpha1.RoleAssignment
	if err := r.Client.Get(ctx, request.NamespacedName, &assignment); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := assignment.DeepCopy()
	ready, principal, wait, err := r.judge(ctx, &assignment)
	if err != nil || wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, err
	}
	assignment.Status.PrincipalID = principal
	apimeta.SetStatusCondition(&assignment.Status.Conditions, ready)
	if written, err := writeStatus(ctx, r.Client, "RoleAssignment", &assignment, before); err != nil || !written {
		return ctrl.Result{}, err
	}
	announce(r.Events, &assignment, before.Status.Conditions, ready)
	return ctrl.Result{}, nil
}

// judge says whether the scope and the principal of an assignment exist, and who the principal is. If the principal was not reconciled yet, it
// returns how long to wait for it.
func (r *RoleAssignmentReconciler) judge(ctx context.Context, assignment *v1alpha1.RoleAssignment) (
	ready metav1.Condition, principal v1alpha1.GUID, wait time.Duration, err error,
) {
	ready = metav1.Condition{
		Type: v1alpha1.ConditionReady, ObservedGeneration: assignment.Generation, Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonAssigned, Message: assignedMessage(assignment.Spec),
	}
	refuse := func(reason, message string) (metav1.Condition, v1alpha1.GUID, time.Duration, error) {
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, reason, message
		return ready, "", 0, nil
	}
	if resource, kind, missing := scopeOf(assignment); resource != nil {
		err := r.Client.Get(ctx, client.ObjectKeyFromObject(resource), resource)
		if client.IgnoreNotFound(err) != nil {
			return ready, "", 0, fmt.Errorf("read the %s %s: %w", kind, resource.GetName(), err)
		}
		if apierrors.IsNotFound(err) {
			return refuse(missing, fmt.Sprintf("namespace %s has no %s %q", assignment.Namespace, kind, resource.GetName()))
		}
	}
	name := assignment.Spec.Principal.Identity
	if name == "" {
		return ready, assignment.Spec.Principal.ObjectID, 0, nil
	}
	var identity v1alpha1.ManagedIdentity
	err = r.Client.Get(ctx, client.ObjectKey{Name: name}, &identity, client.UnsafeDisableDeepCopy)
	switch {
	case apierrors.IsNotFound(err):
		return refuse(v1alpha1.ReasonIdentityNotFound, fmt.Sprintf("there is no ManagedIdentity %q", name))
	case err != nil:
		return ready, "", 0, fmt.Errorf("read the ManagedIdentity %s: %w", name, err)
	case identity.Status.PrincipalID == "":
		if wait := r.unresolved.wait(&identity); wait > 0 {
			return ready, "", wait, nil
		}
		return refuse(v1alpha1.ReasonNoPrincipal, fmt.Sprintf(
			"ManagedIdentity %q has no principal ID: an identity of Entra ID needs spec.principalID, others get one soon", name))
	}
	return ready, identity.Status.PrincipalID, 0, nil
}

// assignedMessage says what is true of an assignment that is Ready. What an API's gate makes of the role is known there alone.
func assignedMessage(spec v1alpha1.RoleAssignmentSpec) string {
	if spec.Scope.API == "" {
		return "the principal has the role"
	}
	return fmt.Sprintf("the principal has the app role at the gate of this namespace that was started with --api=%s, if its OpenAPI document names %s",
		spec.Scope.API, spec.Role)
}

// scopeOf returns the resource that an assignment is at, its kind, and the reason for which it is not Ready without it. An API is no object.
func scopeOf(assignment *v1alpha1.RoleAssignment) (resource client.Object, kind, missing string) {
	named := metav1.ObjectMeta{Namespace: assignment.Namespace}
	switch scope := assignment.Spec.Scope; {
	case scope.API != "":
		return nil, "", ""
	case scope.StorageAccount != "":
		named.Name = scope.StorageAccount
		return &v1alpha1.StorageAccount{ObjectMeta: named}, "StorageAccount", v1alpha1.ReasonAccountNotFound
	default:
		named.Name = scope.KeyVault
		return &v1alpha1.KeyVault{ObjectMeta: named}, "KeyVault", v1alpha1.ReasonVaultNotFound
	}
}

// namedIndex is the name of the index of assignments by the resource that they are at and by the identity that is their principal.
const namedIndex = "spec.names"

// namedByAssignment returns the values of namedIndex.
func namedByAssignment(object client.Object) []string {
	assignment, ok := object.(*v1alpha1.RoleAssignment)
	if !ok {
		return nil
	}
	var names []string
	if resource, kind, _ := scopeOf(assignment); resource != nil {
		names = append(names, namedKey(kind, resource.GetName()))
	}
	if identity := assignment.Spec.Principal.Identity; identity != "" {
		names = append(names, namedKey("ManagedIdentity", identity))
	}
	return names
}

func namedKey(kind, name string) string { return kind + "/" + name }

// at returns a function that maps a resource of a kind to the assignments at it.
func (r *RoleAssignmentReconciler) at(kind string) handler.MapFunc {
	return func(ctx context.Context, resource client.Object) []ctrl.Request {
		return r.naming(ctx, namedKey(kind, resource.GetName()), client.InNamespace(resource.GetNamespace()))
	}
}

// of maps an identity to its assignments.
func (r *RoleAssignmentReconciler) of(ctx context.Context, identity client.Object) []ctrl.Request {
	return r.naming(ctx, namedKey("ManagedIdentity", identity.GetName()))
}

func (r *RoleAssignmentReconciler) naming(ctx context.Context, key string, options ...client.ListOption) []ctrl.Request {
	var found v1alpha1.RoleAssignmentList
	options = append(options, client.MatchingFields{namedIndex: key}, client.UnsafeDisableDeepCopy)
	if err := r.Client.List(ctx, &found, options...); err != nil {
		logMissed(ctx, err)
		return nil
	}
	var requests []ctrl.Request
	for i := range found.Items {
		requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&found.Items[i])})
	}
	return requests
}

// comesOrGoes passes no updates: an assignment depends on whether its resource exists, and on nothing else of it.
var comesOrGoes = predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}

// principalChanged passes updates of identities by which an assignment may be judged differently.
var principalChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, beforeIs := e.ObjectOld.(*v1alpha1.ManagedIdentity)
		after, afterIs := e.ObjectNew.(*v1alpha1.ManagedIdentity)
		return beforeIs && afterIs &&
			(before.Status.PrincipalID != after.Status.PrincipalID || (readinessOf(before) == nil) != (readinessOf(after) == nil))
	},
}
