// Package bearer validates bearer tokens as Azure's resources do: Key Vault and Storage ask the same of a token.
package bearer

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/keyset"
)

const (
	// leeway allows for clocks that differ.
	leeway = time.Minute

	// maxToken bounds a token before it is parsed, in bytes.
	maxToken = 16 << 10
)

// Validator validates the tokens that this cluster's signer signs.
type Validator struct {
	// BaseURL is the OIDC server's. The issuer of a tenant is BaseURL/TENANT/v2.0, or Microsoft's https://sts.windows.net/TENANT/ in
	// tokens for resources whose SDKs know no other; both are signed with the same keys.
	BaseURL string

	// Keys are the OIDC server's.
	Keys *keyset.Keys

	Now func() time.Time
}

// Caller is who a token speaks for.
type Caller struct {
	// ObjectID is the principal's object ID, and ClientID the application's.
	ObjectID, ClientID string
}

// Reason says why a token is refused. Each service has its own words for it.
type Reason string

// The reasons, in the order in which a token is looked at: the signature first, then the claims.
const (
	Missing       Reason = "Missing"
	Malformed     Reason = "Malformed"
	UnknownKey    Reason = "UnknownKey"
	BadSignature  Reason = "BadSignature"
	WrongIssuer   Reason = "WrongIssuer"
	WrongAudience Reason = "WrongAudience"
	Expired       Reason = "Expired"
	NotYetValid   Reason = "NotYetValid"
	NoPrincipal   Reason = "NoPrincipal"
)

// Refusal is the error of a token that is not accepted. It quotes nothing of the token.
type Refusal struct{ Reason Reason }

// Error implements error.
func (r *Refusal) Error() string { return "the bearer token is refused: " + string(r.Reason) }

type claims struct {
	jwt.RegisteredClaims
	ObjectID string `json:"oid"`
	ClientID string `json:"appid"`
	TenantID string `json:"tid"`
}

// Validate returns the caller that the Authorization header of a request names. The token must be for one of the audiences and of the
// tenant. An error is a *Refusal.
func (v *Validator) Validate(header, tenant string, audiences ...string) (Caller, error) {
	scheme, token, _ := strings.Cut(header, " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
		return Caller{}, &Refusal{Missing}
	}
	if len(token) > maxToken {
		return Caller{}, &Refusal{Malformed}
	}
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, v.Keys.Find, jwt.WithValidMethods([]string{"RS256"}),
		jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(v.Now))
	if err != nil {
		return Caller{}, &Refusal{reasonOf(err)}
	}
	return c.caller(v.issuers(tenant), tenant, audiences)
}

func (v *Validator) issuers(tenant string) []string {
	return []string{v.BaseURL + "/" + tenant + "/v2.0", "https://sts.windows.net/" + tenant + "/"}
}

// caller returns the caller of verified claims.
func (c *claims) caller(issuers []string, tenant string, audiences []string) (Caller, error) {
	switch {
	case !slices.Contains(issuers, c.Issuer) || c.TenantID != tenant:
		return Caller{}, &Refusal{WrongIssuer}
	case !slices.ContainsFunc(audiences, c.isFor):
		return Caller{}, &Refusal{WrongAudience}
	}
	caller := Caller{ObjectID: c.ObjectID, ClientID: c.ClientID}
	if caller.ObjectID == "" {
		caller.ObjectID = c.Subject
	}
	if caller.ObjectID == "" {
		return Caller{}, &Refusal{NoPrincipal}
	}
	return caller, nil
}

// isFor reports whether the token is for an audience. A slash at the end makes no difference.
func (c *claims) isFor(audience string) bool {
	return slices.ContainsFunc(c.Audience, func(one string) bool { return strings.TrimSuffix(one, "/") == strings.TrimSuffix(audience, "/") })
}

// reasonOf returns the reason of an error of the JWT library.
func reasonOf(err error) Reason {
	for _, known := range []struct {
		err    error
		reason Reason
	}{
		{keyset.ErrUnknownKey, UnknownKey},
		{jwt.ErrTokenMalformed, Malformed},
		{jwt.ErrTokenUnverifiable, Malformed},
		{jwt.ErrTokenSignatureInvalid, BadSignature},
		{jwt.ErrTokenExpired, Expired},
		{jwt.ErrTokenNotValidYet, NotYetValid},
	} {
		if errors.Is(err, known.err) {
			return known.reason
		}
	}
	return Malformed
}
