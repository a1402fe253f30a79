package identifier

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// ParseGUID parses a GUID of 36 characters, and returns it in lower case.
func ParseGUID(value string) (v1alpha1.GUID, error) {
	if uuid.Validate(value) != nil || len(value) != 36 {
		return "", fmt.Errorf("%q is not a GUID, such as 28a37578-cd01-54f5-804a-52ef0695644e", value)
	}
	return v1alpha1.GUID(strings.ToLower(value)), nil
}
