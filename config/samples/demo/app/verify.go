package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// claims are those of a managed identity's token that tell whose it is.
type claims struct {
	Issuer     string `json:"iss"`
	Audience   string `json:"aud"`
	Tenant     string `json:"tid"`
	Client     string `json:"appid"`
	Principal  string `json:"oid"`
	Subject    string `json:"sub"`
	Identity   string `json:"xms_mirid"`
	NotBefore  int64  `json:"nbf"`
	ExpiresOn  int64  `json:"exp"`
	Identifier string `json:"uti"`
}

// verify verifies a token as a resource server does: it is for this resource, of the issuer that is trusted, of this
// hour, and signed with a key that the issuer publishes.
func verify(ctx context.Context, settings settings, token string) (claims, error) {
	issuer, err := issuerOf(token)
	if err != nil {
		return claims{}, fmt.Errorf("read the token: %w", err)
	}
	// Ask only the trusted issuer: the name in a token is not verified yet.
	if issuer != settings.issuer {
		return claims{}, fmt.Errorf("the token is issued by %q, and %q is trusted", issuer, settings.issuer)
	}
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return claims{}, fmt.Errorf("discover the issuer's keys: %w", err)
	}
	verified, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: settings.resource}).Verify(ctx, token)
	if err != nil {
		return claims{}, fmt.Errorf("verify the token: %w", err)
	}
	var found claims
	if err := verified.Claims(&found); err != nil {
		return claims{}, fmt.Errorf("read the claims: %w", err)
	}
	return found, nil
}

// issuerOf reads who a token says it is issued by. Nothing is verified yet.
func issuerOf(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("it is not a JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var said struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(payload, &said); err != nil {
		return "", err
	}
	return said.Issuer, nil
}

// String writes the claims for people, one a line.
func (c claims) String() string {
	var text strings.Builder
	for _, line := range [][2]string{
		{"issuer (iss)", c.Issuer},
		{"audience (aud)", c.Audience},
		{"tenant (tid)", c.Tenant},
		{"client (appid)", c.Client},
		{"principal (oid)", c.Principal},
		{"subject (sub)", c.Subject},
		{"identity (xms_mirid)", c.Identity},
		{"valid from (nbf)", at(c.NotBefore)},
		{"valid until (exp)", at(c.ExpiresOn)},
		{"token ID (uti)", c.Identifier},
	} {
		fmt.Fprintf(&text, "  %-22s%s\n", line[0], line[1])
	}
	return text.String()
}

func at(seconds int64) string {
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}
