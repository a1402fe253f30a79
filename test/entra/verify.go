package entra

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// verify returns the identity that a request is of.
func (s *Server) verify(ctx context.Context, asked *ask) (Identity, *refusal) {
	if !s.table.hasTenant(asked.tenant) {
		return Identity{}, noTenant(asked.tenant)
	}
	identity, found := s.table.find(asked.tenant, asked.ClientID)
	if !found {
		return identity, refuse(700016, "Application with identifier '%s' was not found in the directory '%s'.", asked.ClientID, asked.tenant)
	}
	if refused := asked.assertion.wellFormed(); refused != nil {
		return identity, refused
	}
	if refused := identity.match(asked.assertion.claims, s.Now()); refused != nil {
		return identity, refused
	}
	if refused := s.verifySignature(ctx, asked); refused != nil {
		return identity, refused
	}
	if refused := asked.assertion.inTime(asked.now); refused != nil {
		return identity, refused
	}
	if !s.hasResource(asked.Resource) {
		return identity, refuse(500011, "The resource principal named %s was not found in the tenant named %s.", asked.Resource, asked.tenant)
	}
	return identity, nil
}

func noTenant(tenant string) *refusal { return refuse(90002, "Tenant '%s' not found.", tenant) }

func (s *Server) hasResource(resource string) bool {
	if _, found := s.VersionTwo[resource]; found {
		return true
	}
	return slices.ContainsFunc(s.Resources, func(known string) bool {
		return strings.TrimSuffix(known, "/") == strings.TrimSuffix(resource, "/")
	})
}

// wellFormed checks that an assertion is a JWT of the one algorithm.
func (a assertion) wellFormed() *refusal {
	switch {
	case a.algorithm != "" && a.algorithm != jwt.SigningMethodRS256.Alg():
		return refuse(5002738, "Invalid JWT token. '%s' is not a supported signature algorithm.", a.algorithm)
	case a.err != nil:
		return refuse(50027, "JWT token is invalid or malformed.")
	}
	return nil
}

// match compares an assertion with the credentials that have taken effect, to the letter: first issuers, then audiences of
// those credentials, then subjects.
func (i Identity) match(claims jwt.RegisteredClaims, now time.Time) *refusal {
	if len(i.Credentials) == 0 {
		return refuse(70025, "The client '%s' has no configured federated identity credentials.", i.ClientID)
	}
	const mismatch = "No matching federated identity record found for presented assertion "
	var effective []Credential
	for _, one := range i.Credentials {
		switch {
		case !now.Before(one.From):
			effective = append(effective, one)
		case one.Issuer == claims.Issuer && one.Subject == claims.Subject && slices.Contains(claims.Audience, one.Audience):
			return refuse(70021, "No matching federated identity record found for presented assertion.")
		}
	}
	ofIssuer := keep(effective, func(one Credential) bool { return one.Issuer == claims.Issuer })
	if len(ofIssuer) == 0 {
		return refuse(700211, mismatch+"issuer '%s'.", claims.Issuer)
	}
	ofAudience := keep(ofIssuer, func(one Credential) bool { return slices.Contains(claims.Audience, one.Audience) })
	if len(ofAudience) == 0 {
		return refuse(700212, mismatch+"audience '%s'.", strings.Join(claims.Audience, " "))
	}
	if len(keep(ofAudience, func(one Credential) bool { return one.Subject == claims.Subject })) > 0 {
		return nil
	}
	if len(keep(ofAudience, func(one Credential) bool { return strings.EqualFold(one.Subject, claims.Subject) })) > 0 {
		return refuse(7002138, mismatch+"subject '%s'. One is the same but for the case of letters.", claims.Subject)
	}
	return refuse(700213, mismatch+"subject '%s'.", claims.Subject)
}

func keep(credentials []Credential, wanted func(Credential) bool) []Credential {
	return slices.DeleteFunc(slices.Clone(credentials), func(one Credential) bool { return !wanted(one) })
}

// verifySignature verifies an assertion with the public files of its issuer.
func (s *Server) verifySignature(ctx context.Context, asked *ask) *refusal {
	key, refused := s.issuerKey(ctx, asked)
	if refused != nil {
		return refused
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}), jwt.WithoutClaimsValidation())
	_, err := parser.ParseWithClaims(asked.assertion.raw, &jwt.RegisteredClaims{}, func(*jwt.Token) (any, error) { return key, nil })
	if err != nil {
		return refuse(700027, "Client assertion failed signature validation.")
	}
	return nil
}

// inTime checks the times of an assertion.
func (a assertion) inTime(now time.Time) *refusal {
	var from, until time.Time
	if a.claims.NotBefore != nil {
		from = a.claims.NotBefore.Time
	}
	if a.claims.ExpiresAt != nil {
		until = a.claims.ExpiresAt.Time
	}
	if now.Before(from) || !now.Before(until) {
		return refuse(700024, "Client assertion is not within its valid time range. Current time: %s, assertion valid from %s, expiry time of assertion %s.",
			preciseTime(now), preciseTime(from), preciseTime(until))
	}
	return nil
}

func preciseTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.0000000Z") }
