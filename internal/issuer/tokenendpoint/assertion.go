package tokenendpoint

import (
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/failure"
)

// faults are what can be wrong with an assertion, in the order in which it is told.
var faults = []struct {
	err         error
	code        int
	description string
}{
	{jwt.ErrTokenMalformed, codeGarbage, "JWT token is invalid or malformed."},
	{jwt.ErrTokenInvalidIssuer, codeIssuer, "No matching federated identity record found for presented assertion issuer."},
	{jwt.ErrTokenInvalidAudience, codeAudience, "No matching federated identity record found for presented assertion audience."},
	{jwt.ErrTokenUnverifiable, codeKey, "The key that signed the assertion is not among the issuer's keys."},
	{jwt.ErrTokenSignatureInvalid, codeSignature, "Client assertion failed signature validation."},
	{jwt.ErrTokenExpired, codeTime, outOfTime},
	{jwt.ErrTokenNotValidYet, codeTime, outOfTime},
}

const outOfTime = "Client assertion is not within its valid time range."

// BadAssertion returns the refusal of an assertion that is not accepted. The error must quote nothing of it.
func BadAssertion(err error) *Refusal {
	f := failure.Unauthorized(err.Error())
	for _, one := range faults {
		if errors.Is(err, one.err) {
			return worded(one.code, f, one.description)
		}
	}
	return refusalOf(f)
}
