package token

import (
	"context"
	"time"
)

// Signed is a token. Only the response to its request may contain it.
type Signed struct {
	Token string

	// ID is the token's own ID (uti), and KeyID the ID of the key that signed it.
	ID    string
	KeyID string

	NotBefore time.Time
	Expiry    time.Time
}

// New makes and signs a token with the issuer that its resource's validators accept.
func New(ctx context.Context, key *Key, issuers Issuers, request Request, now time.Time) (Signed, error) {
	issuer := issuers.For(request.Resource, string(request.Identity.Status.TenantID))
	claims, err := NewClaims(request, issuer, now)
	if err != nil {
		return Signed{}, err
	}
	text, err := key.Sign(ctx, claims)
	if err != nil {
		return Signed{}, err
	}
	return Signed{
		Token: text, ID: claims.UniqueID, KeyID: key.ID,
		NotBefore: time.Unix(claims.NotBefore, 0), Expiry: time.Unix(claims.Expiry, 0),
	}, nil
}
