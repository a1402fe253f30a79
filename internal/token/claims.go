package token

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// backdating is how far iat and nbf are in the past, as in Entra's tokens: some validators allow no clock skew (tokens.md
// section 1).
const backdating = 5 * time.Minute

// DefaultLifetime is the lifetime of tokens whose identity names none.
const DefaultLifetime = time.Hour

// Claims are the claims of a managed identity's v1 access token (tokens.md section 1).
type Claims struct {
	Audience         string `json:"aud"`
	Issuer           string `json:"iss"`
	IssuedAt         int64  `json:"iat"`
	NotBefore        int64  `json:"nbf"`
	Expiry           int64  `json:"exp"`
	AppID            string `json:"appid"`
	AppIDACR         string `json:"appidacr"`
	IdentityProvider string `json:"idp"`
	IDType           string `json:"idtyp"`
	ObjectID         string `json:"oid"`
	Subject          string `json:"sub"`
	TenantID         string `json:"tid"`
	UniqueID         string `json:"uti"`
	Version          string `json:"ver"`
	AzureRID         string `json:"xms_az_rid,omitempty"`
	MIRID            string `json:"xms_mirid"`

	// Workload is the pod in the form of Kubernetes' own tokens (tokens.md section 10).
	Workload *Workload `json:"kubernetes.io,omitempty"`
}

// Workload is a pod with its ServiceAccount and node.
type Workload struct {
	Namespace      string    `json:"namespace"`
	Node           Reference `json:"node"`
	Pod            Reference `json:"pod"`
	ServiceAccount Reference `json:"serviceaccount"`
}

// Reference is an object's name and UID.
type Reference struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// Request describes the token to make.
type Request struct {
	// Identity has its IDs in its status.
	Identity *v1alpha1.ManagedIdentity

	// Resource is the audience, unchanged.
	Resource string

	// Machine is the resource ID of the pod as a virtual machine; "" if there is none.
	Machine string

	// Workload is the pod, if the token should name it.
	Workload *Workload
}

// NewClaims returns the claims of a token. A system-assigned identity stands for the machine that its resource ID names, or
// else for the pod as a machine. A user-assigned one is attached to the pod.
func NewClaims(request Request, issuer string, now time.Time) (Claims, error) {
	unique, err := newUniqueID()
	if err != nil {
		return Claims{}, err
	}
	identity := request.Identity
	status := identity.Status
	notBefore := now.Add(-backdating).Unix()
	claims := Claims{
		Audience: request.Resource, Issuer: issuer, IdentityProvider: issuer,
		IssuedAt: notBefore, NotBefore: notBefore, Expiry: now.Add(Lifetime(identity)).Unix(),
		AppID: string(status.ClientID), AppIDACR: "2", IDType: "app",
		ObjectID: string(status.PrincipalID), Subject: string(status.PrincipalID), TenantID: string(status.TenantID),
		UniqueID: unique, Version: "1.0", MIRID: resourceIDInTokens(status.ResourceID),
		AzureRID: request.Machine, Workload: request.Workload,
	}
	if identity.Spec.Type == v1alpha1.SystemAssigned {
		machine := resourceIDInTokens(cmp.Or(status.ResourceID, request.Machine))
		claims.MIRID, claims.AzureRID = machine, machine
	}
	return claims, nil
}

// resourceIDInTokens returns an Azure Resource Manager ID as Entra writes it in tokens: with resourcegroups in lower case,
// unlike Azure's portal and command line (tokens.md section 1).
func resourceIDInTokens(id string) string {
	parts := strings.Split(id, "/")
	if len(parts) > 3 && strings.EqualFold(parts[3], "resourcegroups") {
		parts[3] = "resourcegroups"
	}
	return strings.Join(parts, "/")
}

// Lifetime returns the lifetime of an identity's tokens.
func Lifetime(identity *v1alpha1.ManagedIdentity) time.Duration {
	if lifetime := identity.Spec.TokenLifetime; lifetime != nil {
		return lifetime.Duration
	}
	return DefaultLifetime
}

// newUniqueID returns a token ID: 22 characters of base64url.
func newUniqueID() (string, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("make the token's ID: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(id[:]), nil
}

// Claims implements jwt.Claims.

// GetExpirationTime returns exp.
func (c Claims) GetExpirationTime() (*jwt.NumericDate, error) { return numericDate(c.Expiry), nil }

// GetIssuedAt returns iat.
func (c Claims) GetIssuedAt() (*jwt.NumericDate, error) { return numericDate(c.IssuedAt), nil }

// GetNotBefore returns nbf.
func (c Claims) GetNotBefore() (*jwt.NumericDate, error) { return numericDate(c.NotBefore), nil }

// GetIssuer returns iss.
func (c Claims) GetIssuer() (string, error) { return c.Issuer, nil }

// GetSubject returns sub.
func (c Claims) GetSubject() (string, error) { return c.Subject, nil }

// GetAudience returns aud.
func (c Claims) GetAudience() (jwt.ClaimStrings, error) { return jwt.ClaimStrings{c.Audience}, nil }

func numericDate(seconds int64) *jwt.NumericDate { return jwt.NewNumericDate(time.Unix(seconds, 0)) }
