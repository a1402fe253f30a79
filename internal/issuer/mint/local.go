package mint

import (
	"context"
	"time"

	"github.com/kube-imds/kube-imds/internal/token"
)

// Local signs tokens with a key of this process, for use without a cluster.
type Local struct {
	Key func() *token.Key

	// Machine is the resource ID of the machine that the tokens name.
	Machine string

	Issuers token.Issuers
	Now     func() time.Time
}

// Mint signs a token.
func (l *Local) Mint(ctx context.Context, request Request) (Minted, error) {
	signed, err := token.New(ctx, l.Key(), l.Issuers, token.Request{
		Identity: request.Identity, Resource: request.Resource, Machine: l.Machine,
	}, l.Now())
	return Minted{Signed: signed}, err
}
