package issuer

import (
	"context"
	"fmt"
	"time"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/token"
)

// Minted is a token, and whether it was made before it was asked for.
type Minted struct {
	token.Signed
	Cached bool
}

// Pod is who asks. It is empty where there is no cluster.
type Pod struct {
	UID string

	// Token is the pod's own ServiceAccount token, if it has shown one.
	Token string
}

// MintRequest asks for a token of an identity, whose IDs are resolved, for a resource.
type MintRequest struct {
	Pod      Pod
	Identity *v1alpha1.ManagedIdentity
	Resource string

	// BypassCache asks for a token that nobody was given yet.
	BypassCache bool
}

// Minter makes tokens.
type Minter interface {
	Mint(ctx context.Context, request MintRequest) (Minted, error)
}

// Minters make tokens by the identity's token source.
type Minters map[v1alpha1.TokenSource]Minter

// Mint makes a token by the identity's token source.
func (m Minters) Mint(ctx context.Context, request MintRequest) (Minted, error) {
	minter, found := m[request.Identity.Spec.TokenSource]
	if !found {
		return Minted{}, reply.BadRequest(fmt.Sprintf("the token source %s of the identity is not supported by this version",
			request.Identity.Spec.TokenSource))
	}
	return minter.Mint(ctx, request)
}

// LocalMinter signs tokens with a key of this process, where there is no cluster.
type LocalMinter struct {
	// Key is the key that signs.
	Key func() *token.Key

	// Machine is the resource ID of the machine that tokens are for.
	Machine string

	Issuers token.Issuers
	Now     func() time.Time
}

// Mint signs a token.
func (m *LocalMinter) Mint(ctx context.Context, request MintRequest) (Minted, error) {
	signed, err := token.New(ctx, m.Key(), m.Issuers, token.Request{
		Identity: request.Identity, Resource: request.Resource, Machine: m.Machine,
	}, m.Now())
	return Minted{Signed: signed}, err
}
