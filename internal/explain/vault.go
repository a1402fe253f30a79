package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/resource/assigned"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// Access explains what an identity may do at a Key Vault. Its JSON is the output of kubectl imds explain vault.
type Access struct {
	// Namespace and Vault name the KeyVault, and URI is where applications find it.
	Namespace string `json:"namespace"`
	Vault     string `json:"vault"`
	URI       string `json:"uri,omitempty"`

	Identity    string `json:"identity"`
	PrincipalID string `json:"principalID"`

	// Action is what is asked for; "" asks for all that the identity may do.
	Action role.Action `json:"action,omitempty"`

	// Object is what it is asked for, such as secrets/NAME; "" is the vault itself.
	Object string `json:"object,omitempty"`

	// Allowed reports whether the action is; nil if none is asked for.
	Allowed *bool `json:"allowed,omitempty"`

	// Operations are all that the identity may do, if no action is asked for.
	Operations []string `json:"operations,omitempty"`

	// Assignments are those that allow it, or else those that come close.
	Assignments []Assigned `json:"assignments"`

	// Create is a RoleAssignment that would allow the action, if nothing does.
	Create *v1alpha1.RoleAssignment `json:"create,omitempty"`

	// Hints say what stands in the way beside roles.
	Hints []string `json:"hints,omitempty"`
}

// Assigned is a RoleAssignment of the vault's namespace.
type Assigned struct {
	Name string `json:"name"`

	// Principal is the name of an identity, or an object ID.
	Principal string            `json:"principal"`
	Role      v1alpha1.RoleName `json:"role"`

	// Scope is a vault, or an object in it.
	Scope string `json:"scope"`

	// Not is why it does not allow what is asked for; "" if it does.
	Not string `json:"not,omitempty"`
}

// maxClose bounds the assignments that come close.
const maxClose = 10

// Question asks what identities may do at a vault.
type Question struct {
	Vault *v1alpha1.KeyVault

	// Action is "" for all actions, and Object nothing for the vault itself.
	Action role.Action
	Object role.Object
}

// Ask explains what an identity may do.
func (q Question) Ask(ctx context.Context, reader client.Reader, identity *v1alpha1.ManagedIdentity) (*Access, error) {
	objects, err := assigned.List(ctx, reader, q.Vault.Namespace)
	if err != nil {
		return nil, err
	}
	// Those of storage accounts say nothing of a vault.
	objects = slices.DeleteFunc(objects, func(object *v1alpha1.RoleAssignment) bool { return object.Spec.Scope.KeyVault == "" })
	access := &Access{
		Namespace: q.Vault.Namespace, Vault: q.Vault.Name, URI: q.Vault.Status.URI, Identity: identity.Name,
		PrincipalID: string(identity.Status.PrincipalID), Action: q.Action, Object: q.Object.String(),
		Assignments: []Assigned{}, Hints: q.hints(identity),
	}
	all := make([]role.Assignment, len(objects))
	for i, object := range objects {
		if all[i], err = assigned.Of(object, assigned.Identities(ctx, reader)); err != nil {
			return nil, err
		}
	}
	if q.Action == "" {
		q.explainAll(access, objects, all)
	} else {
		q.explainOne(access, objects, all)
	}
	return access, nil
}

func (q Question) at() role.Scope {
	return role.Scope{Namespace: q.Vault.Namespace, KeyVault: q.Vault.Name, Object: q.Object}
}

// explainAll says all that the principal may do, and by which assignments.
func (q Question) explainAll(access *Access, objects []*v1alpha1.RoleAssignment, all []role.Assignment) {
	access.Operations = []string{}
	for _, one := range role.Operations() {
		if role.Decide(all, access.PrincipalID, one.Action, q.at()) {
			access.Operations = append(access.Operations, one.Words)
		}
	}
	for i, one := range all {
		if !access.is(one) {
			continue
		}
		not := "another scope"
		if slices.ContainsFunc(role.Operations(), func(operation role.Operation) bool {
			return role.Decide(all[i:i+1], access.PrincipalID, operation.Action, q.at())
		}) {
			not = ""
		}
		access.Assignments = append(access.Assignments, describe(objects[i], not))
	}
	access.Assignments = firstAllowed(access.Assignments)
}

// explainOne says whether an action is allowed, and by which assignments, or else which ones come close.
func (q Question) explainOne(access *Access, objects []*v1alpha1.RoleAssignment, all []role.Assignment) {
	allowed := role.Decide(all, access.PrincipalID, q.Action, q.at())
	access.Allowed = &allowed
	var own, others []Assigned
	for i, one := range all {
		isOwn := access.is(one)
		// What it would allow its own principal.
		allows := role.Decide(all[i:i+1], one.Principal, q.Action, q.at())
		switch {
		case isOwn && allows:
			own = append(own, describe(objects[i], ""))
		case allowed:
		case isOwn && !role.Has(one.Role, q.Action):
			own = append(own, describe(objects[i], "the role does not include it"))
		case isOwn:
			own = append(own, describe(objects[i], "another scope"))
		case one.Principal == "":
			others = append(others, describe(objects[i], "its identity does not exist, or has no principal yet"))
		case allows:
			others = append(others, describe(objects[i], "another principal"))
		}
	}
	access.Assignments = append(access.Assignments, own...)
	access.Assignments = append(access.Assignments, others...)
	access.Assignments = access.Assignments[:min(len(access.Assignments), maxClose)]
	if !allowed {
		access.Create = q.assignment(access.Identity)
	}
}

// is reports whether an assignment is the identity's.
func (a *Access) is(assignment role.Assignment) bool {
	return assignment.Principal != "" && strings.EqualFold(assignment.Principal, a.PrincipalID)
}

// firstAllowed puts the assignments that allow something first.
func firstAllowed(all []Assigned) []Assigned {
	slices.SortStableFunc(all, func(a, b Assigned) int { return min(len(a.Not), 1) - min(len(b.Not), 1) })
	return all[:min(len(all), maxClose)]
}

func describe(object *v1alpha1.RoleAssignment, not string) Assigned {
	principal := object.Spec.Principal.Identity
	if principal == "" {
		principal = string(object.Spec.Principal.ObjectID)
	}
	scope := object.Spec.Scope.KeyVault
	if of := assigned.ObjectOf(object.Spec.Scope).String(); of != "" {
		scope += "/" + of
	}
	return Assigned{object.Name, principal, object.Spec.Role, scope, not}
}

// assignment returns the RoleAssignment that allows the action, and as little as can be beside it.
func (q Question) assignment(identity string) *v1alpha1.RoleAssignment {
	narrowest := role.Narrowest(q.Action)
	scope := v1alpha1.AssignmentScope{KeyVault: q.Vault.Name}
	switch q.Object.Kind {
	case role.Secrets:
		scope.Secret = q.Object.Name
	case role.Keys:
		scope.Key = q.Object.Name
	case role.Certificates:
		scope.Certificate = q.Object.Name
	}
	short := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(string(narrowest), "Key Vault ")), " ", "-")
	return &v1alpha1.RoleAssignment{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "RoleAssignment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: q.Vault.Namespace, Name: identity + "-" + short},
		Spec: v1alpha1.RoleAssignmentSpec{
			Principal: v1alpha1.AssignedPrincipal{Identity: identity}, Role: narrowest, Scope: scope,
		},
	}
}

// hints says what keeps the vault from accepting tokens of an identity at all.
func (q Question) hints(identity *v1alpha1.ManagedIdentity) (hints []string) {
	if ready := apimeta.FindStatusCondition(q.Vault.Status.Conditions, v1alpha1.ConditionReady); q.Vault.Status.URI == "" {
		hint := "the vault is not served"
		if ready != nil {
			hint += ": " + ready.Message
		}
		hints = append(hints, hint)
	}
	if identity.Status.PrincipalID == "" {
		hints = append(hints, fmt.Sprintf("ManagedIdentity %q has no principal yet", identity.Name))
	}
	if identity.Spec.TokenSource == v1alpha1.TokenSourceEntra {
		hints = append(hints, fmt.Sprintf("ManagedIdentity %q has tokens of Entra ID, which the vault does not accept", identity.Name))
	}
	if tenant := q.Vault.Spec.TenantID; tenant != "" && !strings.EqualFold(string(tenant), string(identity.Status.TenantID)) {
		hints = append(hints, fmt.Sprintf("the vault is of tenant %s, and ManagedIdentity %q of %s: its tokens are not accepted",
			tenant, identity.Name, identity.Status.TenantID))
	}
	if _, domain, found := strings.Cut(q.Vault.Status.URI, "."); found && !grant.AllowsResource(identity, "https://"+domain) {
		hints = append(hints, fmt.Sprintf("ManagedIdentity %q has no tokens for the vault: add https://%s to its spec.allowedResources", identity.Name, domain))
	}
	return hints
}
