package role

import (
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// AppRoles returns the app roles that a principal has at an API, in order.
func AppRoles(assignments []Assignment, principal string, at Scope) []v1alpha1.RoleName {
	if principal == "" {
		return nil
	}
	var roles []v1alpha1.RoleName
	for _, one := range assignments {
		if strings.EqualFold(one.Principal, principal) && one.Scope.covers(at) {
			roles = append(roles, one.Role)
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// DecideByAppRoles reports whether app roles are enough for an operation, whose alternatives are sets of roles, all of which are needed.
func DecideByAppRoles(roles []v1alpha1.RoleName, alternatives [][]v1alpha1.RoleName) bool {
	return slices.ContainsFunc(alternatives, func(needed []v1alpha1.RoleName) bool {
		return len(needed) > 0 && !slices.ContainsFunc(needed, func(one v1alpha1.RoleName) bool { return !slices.Contains(roles, one) })
	})
}
