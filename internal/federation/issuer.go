package federation

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/token"
)

// Issuer is the issuer of assertions.
type Issuer struct {
	// URL is the issuer's name and where its public files are, without a trailing slash. "" means that there is none.
	URL string

	// Cluster is part of subjects, if it is set, so that clusters that share an issuer have subjects of their own.
	Cluster string

	// Recorded reports whether an administrator records which keys are public, because the signer does not read the public files.
	Recorded bool
}

// HowToPublish says how the keys become public, and the signer knows of it.
func (i Issuer) HowToPublish() string {
	publish := "publish the files of `kubectl imds federation publish` at " + i.URL
	if i.Recorded {
		return publish + " and record it with `kubectl imds federation check --record`"
	}
	return publish + " and look with `kubectl imds federation check`"
}

// The paths of the public files below the issuer's URL.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	KeysPath      = "/openid/v1/jwks"
)

// maxURL bounds the URL: Entra takes no longer issuer in a federated credential (tokens.md section 3).
const maxURL = 600

// CheckURL returns an error if Entra would not accept a URL as an issuer.
func CheckURL(issuer string) error {
	parsed, err := url.Parse(issuer)
	switch {
	case err != nil:
		return fmt.Errorf("read the issuer's URL: %w", err)
	case parsed.Scheme != "https" || parsed.Hostname() == "":
		return errors.New("the issuer's URL must begin with https:// and a host")
	case parsed.User != nil || parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "":
		return errors.New("the issuer's URL must have no user, query or fragment")
	case strings.HasSuffix(issuer, "/"):
		return errors.New("the issuer's URL must not end with a slash: Entra ID compares it with the assertion's to the letter")
	case len(issuer) > maxURL:
		return fmt.Errorf("the issuer's URL must have at most %d characters", maxURL)
	}
	return nil
}

// Subject returns the subject of an identity's assertions.
func (i Issuer) Subject(identity string) string {
	if i.Cluster == "" {
		return "kube-imds:identity:" + identity
	}
	return "kube-imds:" + i.Cluster + ":identity:" + identity
}

const (
	// assertionLifetime is how long an assertion is valid: it is used at once.
	assertionLifetime = 10 * time.Minute

	// backdating allows for a clock of Entra's that is behind.
	backdating = time.Minute
)

// Assert returns an assertion that the caller is an identity.
func (i Issuer) Assert(ctx context.Context, key *token.Key, identity, audience string, now time.Time) (token.Signed, error) {
	signed := token.Signed{
		ID: rand.Text(), KeyID: key.ID, NotBefore: now.Add(-backdating).Truncate(time.Second), Expiry: now.Add(assertionLifetime).Truncate(time.Second),
	}
	var err error
	signed.Token, err = key.SignAssertion(ctx, jwt.RegisteredClaims{
		Issuer: i.URL, Subject: i.Subject(identity), Audience: jwt.ClaimStrings{audience}, ID: signed.ID,
		IssuedAt: jwt.NewNumericDate(signed.NotBefore), NotBefore: jwt.NewNumericDate(signed.NotBefore), ExpiresAt: jwt.NewNumericDate(signed.Expiry),
	})
	return signed, err
}

// Discovery returns the discovery document.
func (i Issuer) Discovery() ([]byte, error) {
	document, err := json.MarshalIndent(discovery{
		Issuer: i.URL, JWKSURI: i.URL + KeysPath, ResponseTypes: []string{"id_token"}, SubjectTypes: []string{"public"},
		Algorithms: []string{"RS256"},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render the discovery document: %w", err)
	}
	return append(document, '\n'), nil
}

// discovery is the part of an OpenID Connect discovery document that Entra reads.
type discovery struct {
	Issuer        string   `json:"issuer"`
	JWKSURI       string   `json:"jwks_uri"`
	ResponseTypes []string `json:"response_types_supported"`
	SubjectTypes  []string `json:"subject_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
}
