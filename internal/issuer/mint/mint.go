// Package mint makes the tokens that the issuer serves: by the signer, by Entra ID or with a local key, behind a
// cache that renews them.
package mint

import (
	"context"
	"fmt"
	"time"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/token"
)

// Minter mints tokens. Its errors are *failure.Failure where the pod should know more than "try again".
type Minter interface {
	Mint(ctx context.Context, request Request) (Minted, error)
}

// Request asks for a token of an identity, whose IDs are resolved, for a resource.
type Request struct {
	Pod      Pod
	Identity *v1alpha1.ManagedIdentity
	Resource string

	// BypassCache asks for a newly minted token.
	BypassCache bool
}

// Pod is the pod that asks. It is empty outside a cluster.
type Pod struct {
	UID string

	// Token is the pod's own ServiceAccount token, if it sent one.
	Token string

	// Subject is the subject of the pod's ServiceAccount tokens, system:serviceaccount:NAMESPACE:NAME.
	Subject string

	// Assertions are its ServiceAccount tokens for Entra ID. They are not verified.
	Assertions []string
}

// Minted is a token.
type Minted struct {
	token.Signed

	// RenewAt is when the token is renewed. Of a token that is minted just now it is when it should be; zero for half of its life.
	RenewAt time.Time

	// Cached reports whether the token was minted for an earlier request.
	Cached bool
}

// Minters are the minters by the identity's token source.
type Minters map[v1alpha1.TokenSource]Minter

// Mint mints a token with the minter of the identity's token source.
func (m Minters) Mint(ctx context.Context, request Request) (Minted, error) {
	source := request.Identity.Spec.TokenSource
	minter, found := m[source]
	if !found {
		return Minted{}, failure.BadRequest(fmt.Sprintf("tokens of the identity's source %s are not issued here", source))
	}
	return minter.Mint(ctx, request)
}
