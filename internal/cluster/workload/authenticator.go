// Package workload authenticates pods by their ServiceAccount tokens, offline: against the cluster's public keys,
// which it holds, and without asking the API server anything about a token.
package workload

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Workload is the pod that a token is bound to.
type Workload struct {
	Namespace      string
	Pod            Reference
	ServiceAccount Reference
	Node           Reference

	// TokenIssuedAt is zero if the token does not say.
	TokenIssuedAt time.Time
}

// Reference is an object's name and UID.
type Reference struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// Authenticator authenticates pod-bound ServiceAccount tokens of one audience.
type Authenticator struct {
	keys     *Keys
	audience string
	now      func() time.Time

	// life is how long a token may be valid; 0 is for ever.
	life time.Duration
}

// NewAuthenticator makes an authenticator of tokens with an audience that the cluster's keys signed.
func NewAuthenticator(keys *Keys, audience string, now func() time.Time) *Authenticator {
	return &Authenticator{keys: keys, audience: audience, now: now}
}

// Within takes only tokens that are valid for no longer than a life: those that were asked for as they should be, and not
// the long ones that whoever may ask the API server for tokens gets for himself.
func (a *Authenticator) Within(life time.Duration) *Authenticator {
	bounded := *a
	bounded.life = life
	return &bounded
}

// maxTokenBytes bounds a token before anything is read of it. Those of the API server have some 1,200 bytes, and names of
// 253 letters make them twice as long.
const maxTokenBytes = 8 << 10

// errNotBound is told of a token that names no pod, or no node: it could be anybody's of that ServiceAccount.
var errNotBound = errors.New("the token is not bound to a pod on a node")

// errNotReady is told while no key is known. The JWT library would take an issuer that is not known for any issuer.
var errNotReady = errors.New("the cluster's keys have not been read yet")

var (
	errTooLong   = fmt.Errorf("the token is longer than %d bytes", maxTokenBytes)
	errLongLived = errors.New("the token is valid for longer than sidecars' tokens are, or does not say since when")
)

// claims are those of a ServiceAccount token that is bound to a pod (tokens.md section 10).
type claims struct {
	jwt.RegisteredClaims
	Kubernetes struct {
		Namespace      string    `json:"namespace"`
		ServiceAccount Reference `json:"serviceaccount"`
		Pod            Reference `json:"pod"`
		Node           Reference `json:"node"`
	} `json:"kubernetes.io"`
}

// Authenticate finds the pod that a token is bound to. The error tells what is wrong with the token, and nothing that
// is in it.
func (a *Authenticator) Authenticate(token string) (Workload, error) {
	if len(token) > maxTokenBytes {
		return Workload{}, errTooLong
	}
	issuer := a.keys.Issuer()
	if issuer == "" {
		return Workload{}, errNotReady
	}
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, a.keys.find,
		jwt.WithValidMethods([]string{"RS256", "ES256", "ES384", "ES512"}),
		jwt.WithAudience(a.audience),
		jwt.WithIssuer(issuer),
		jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(a.now),
		jwt.WithLeeway(10*time.Second))
	if err != nil {
		return Workload{}, fmt.Errorf("verify the ServiceAccount token: %w", err)
	}
	bound := c.Kubernetes
	if bound.Namespace == "" || bound.Pod.UID == "" || bound.Node.Name == "" || bound.ServiceAccount.UID == "" {
		return Workload{}, errNotBound
	}
	var issuedAt time.Time
	if c.IssuedAt != nil {
		issuedAt = c.IssuedAt.Time
	}
	if a.life > 0 && (issuedAt.IsZero() || c.ExpiresAt.Sub(issuedAt) > a.life) {
		return Workload{}, errLongLived
	}
	return Workload{
		Namespace: bound.Namespace, Pod: bound.Pod, ServiceAccount: bound.ServiceAccount, Node: bound.Node,
		TokenIssuedAt: issuedAt,
	}, nil
}
