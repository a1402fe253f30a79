// Package refusal is the error of what a caller asks for and cannot have, which the parts of Key Vault share.
package refusal

import "fmt"

// Error refuses a request that is malformed, or asks for what vaults do not have. The message is for the caller. It has nothing of a key
// and of what was encrypted.
type Error struct {
	Message string

	// Forbidden is set if the answer is 403 Forbidden. Otherwise it is 400 BadParameter.
	Forbidden bool

	// Inner is the code of the inner error, if there is one.
	Inner string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// New returns a refusal without an inner code. A format cuts what it quotes of a request ("%.64q").
func New(format string, values ...any) *Error { return &Error{Message: fmt.Sprintf(format, values...)} }
