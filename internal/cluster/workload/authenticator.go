package workload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"

	"github.com/kube-imds/kube-imds/internal/keyset"
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
	keys     *keyset.Keys
	audience string
	now      func() time.Time

	// life is the longest validity of a token; 0 means any.
	life time.Duration

	verified *verified
}

// NewAuthenticator returns an authenticator of tokens for an audience that the cluster's keys signed.
func NewAuthenticator(keys *keyset.Keys, audience string, now func() time.Time) *Authenticator {
	return &Authenticator{keys: keys, audience: audience, now: now, verified: &verified{}}
}

// Within rejects tokens that are valid for longer than life: sidecars ask for short ones, and longer ones were made by
// another user who may create tokens.
func (a *Authenticator) Within(life time.Duration) *Authenticator {
	bounded := NewAuthenticator(a.keys, a.audience, a.now)
	bounded.life = life
	return bounded
}

// For returns an authenticator of tokens for another audience, of any validity.
func (a *Authenticator) For(audience string) *Authenticator {
	return NewAuthenticator(a.keys, audience, a.now)
}

// Subject returns the subject of the ServiceAccount's tokens.
func (w Workload) Subject() string {
	return serviceaccount.MakeUsername(w.Namespace, w.ServiceAccount.Name)
}

// maxTokenBytes bounds a token before it is parsed. Those of the API server have some 1,200 bytes, and twice that with
// names of 253 letters.
const maxTokenBytes = 8 << 10

// leeway allows for clocks that differ.
const leeway = 10 * time.Second

// errNotBound rejects tokens without a pod or a node: any user of the ServiceAccount can get those.
var errNotBound = errors.New("the token is not bound to a pod on a node")

// errNotReady rejects tokens until a key is known. The JWT library would accept any issuer while the expected one is empty.
var errNotReady = errors.New("the cluster's keys have not been read yet")

var (
	errTooLong   = fmt.Errorf("the token is longer than %d bytes", maxTokenBytes)
	errLongLived = errors.New("the token is valid for longer than sidecars' tokens are, or does not say since when")
)

// claims are the claims of a pod-bound ServiceAccount token (tokens.md section 10).
type claims struct {
	jwt.RegisteredClaims
	Kubernetes struct {
		Namespace      string    `json:"namespace"`
		ServiceAccount Reference `json:"serviceaccount"`
		Pod            Reference `json:"pod"`
		Node           Reference `json:"node"`
	} `json:"kubernetes.io"`
}

// Authenticate returns the pod that a token is bound to. Its errors quote nothing of the token.
func (a *Authenticator) Authenticate(token string) (Workload, error) {
	if len(token) > maxTokenBytes {
		return Workload{}, errTooLong
	}
	// Room for the usual token, so that it is not copied to the heap.
	var room [2 << 10]byte
	hash, version := sha256.Sum256(append(room[:0], token...)), a.keys.Version()
	if found, known := a.verified.find(hash, version, a.now()); known {
		return found, nil
	}
	found, err := a.verify(token)
	if err != nil {
		return Workload{}, err
	}
	a.verified.add(hash, version, found)
	return found.workload, nil
}

func (a *Authenticator) verify(token string) (remembered, error) {
	issuer := a.keys.Issuer()
	if issuer == "" {
		return remembered{}, errNotReady
	}
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, a.keys.Find,
		jwt.WithValidMethods([]string{"RS256", "ES256", "ES384", "ES512"}),
		jwt.WithAudience(a.audience),
		jwt.WithIssuer(issuer),
		jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(a.now),
		jwt.WithLeeway(leeway))
	if err != nil {
		return remembered{}, fmt.Errorf("verify the ServiceAccount token: %w", err)
	}
	bound := c.Kubernetes
	if bound.Namespace == "" || bound.Pod.UID == "" || bound.Node.Name == "" || bound.ServiceAccount.UID == "" {
		return remembered{}, errNotBound
	}
	var issuedAt time.Time
	if c.IssuedAt != nil {
		issuedAt = c.IssuedAt.Time
	}
	if a.life > 0 && (issuedAt.IsZero() || c.ExpiresAt.Sub(issuedAt) > a.life) {
		return remembered{}, errLongLived
	}
	return remembered{expires: c.ExpiresAt.Add(leeway), workload: Workload{
		Namespace: bound.Namespace, Pod: bound.Pod, ServiceAccount: bound.ServiceAccount, Node: bound.Node,
		TokenIssuedAt: issuedAt,
	}}, nil
}
