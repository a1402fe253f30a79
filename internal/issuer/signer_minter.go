package issuer

import (
	"context"
	"time"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// TokenSigner signs tokens of pods of this node.
type TokenSigner interface {
	Token(ctx context.Context, request signerapi.TokenRequest) (*signerapi.TokenResponse, error)
}

// SignerMinter has tokens signed by the signer, which decides anew about all of it.
type SignerMinter struct {
	Signer TokenSigner

	// IsPublished tells whether a key is published; Changes is told when that changes.
	IsPublished func(keyID string) bool
	Changes     *directory.Changes
}

// Mint has a token signed.
func (m *SignerMinter) Mint(ctx context.Context, request MintRequest) (Minted, error) {
	start := time.Now()
	signed, err := m.Signer.Token(ctx, signerapi.TokenRequest{
		Pod:      signerapi.Pod{UID: request.Pod.UID, Token: request.Pod.Token},
		Identity: request.Identity.Name, Resource: request.Resource,
	})
	if err != nil {
		return Minted{}, err
	}
	mintSeconds.Observe(time.Since(start).Seconds())
	if err := m.awaitPublished(ctx, signed.KeyID); err != nil {
		return Minted{}, err
	}
	return Minted{Signed: token.Signed{
		Token: signed.Token, ID: signed.TokenID, KeyID: signed.KeyID,
		NotBefore: time.Unix(signed.NotBefore, 0), Expiry: time.Unix(signed.ExpiresOn, 0),
	}}, nil
}

// awaitPublished waits for a key to be published: the signer may have heard of it first, as of a cluster's first key. A
// token of a key that was just revoked is handed out to nobody.
func (m *SignerMinter) awaitPublished(ctx context.Context, keyID string) error {
	ctx, cancel := context.WithTimeout(ctx, podLag)
	defer cancel()
	for {
		changed := m.Changes.Next()
		if m.IsPublished(keyID) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return reply.Unavailable("the token was signed with key " + keyID + ", which is not published")
		}
	}
}
