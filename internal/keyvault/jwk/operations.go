package jwk

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// Operation is what a key may be used for (key_ops).
type Operation string

// The operations of the keys that vaults have.
const (
	Encrypt   Operation = "encrypt"
	Decrypt   Operation = "decrypt"
	Sign      Operation = "sign"
	Verify    Operation = "verify"
	WrapKey   Operation = "wrapKey"
	UnwrapKey Operation = "unwrapKey"
)

// Operations returns all operations of keys of a type, which is what new ones have.
func Operations(of Type) []Operation {
	if of == RSA {
		return []Operation{Encrypt, Decrypt, Sign, Verify, WrapKey, UnwrapKey}
	}
	return []Operation{Sign, Verify}
}

// Permit refuses an operation that is not among those of a key.
func Permit(operations []Operation, wanted Operation) error {
	if slices.Contains(operations, wanted) {
		return nil
	}
	return &refusal.Error{
		Forbidden: true, Inner: "KeyOperationForbidden", Message: fmt.Sprintf("Operation %s is not permitted on this key.", wanted),
	}
}

// maxRefused bounds how many operations an error names.
const maxRefused = 8

// CheckOperations returns the operations that were asked for, each once: all if there is no list, and none for an empty one. It refuses
// import, which only keys in an HSM can have, and export, which only exportable keys can have: there is no enclave to attest to.
func CheckOperations(of Type, asked []Operation) ([]Operation, error) {
	known := Operations(of)
	if asked == nil {
		return known, nil
	}
	allowed := []Operation{}
	var refused []string
	for _, operation := range asked {
		switch {
		case slices.Contains(allowed, operation):
		case slices.Contains(known, operation):
			allowed = append(allowed, operation)
		case len(refused) < maxRefused:
			refused = append(refused, fmt.Sprintf("%.32q", operation))
		}
	}
	if refused != nil {
		supported := make([]string, len(known))
		for i, operation := range known {
			supported[i] = fmt.Sprintf("%q", operation)
		}
		return nil, refusal.New("Unsupported key operation(s): %s. Supported values are %s.", strings.Join(refused, ", "), strings.Join(supported, ", "))
	}
	return allowed, nil
}
