package grant

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/token"
)

// maxResource bounds the length of a resource, in bytes.
const maxResource = 512

// CheckResource says in words for the application why something is no resource; empty if it is one. The replacement
// character stands where there was something that is no character, so it is not what was asked for to the letter.
func CheckResource(resource string) (complaint string) {
	if resource == "" {
		return "Required audience parameter not specified"
	}
	if len(resource) > maxResource {
		return fmt.Sprintf("the resource is longer than %d bytes", maxResource)
	}
	for _, character := range resource {
		if character == utf8.RuneError || !unicode.IsGraphic(character) || unicode.IsSpace(character) {
			return "the resource has characters that no resource has"
		}
	}
	return ""
}

// AllowsResource reports whether tokens of an identity may be asked for a resource.
func AllowsResource(identity *v1alpha1.ManagedIdentity, resource string) bool {
	allowed := identity.Spec.AllowedResources
	return len(allowed) == 0 || slices.ContainsFunc(allowed, func(one string) bool {
		return token.SameResource(one, resource)
	})
}
