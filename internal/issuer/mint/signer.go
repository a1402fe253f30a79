package mint

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// Signer mints tokens with the cluster's signer, which checks every request again.
type Signer struct {
	Client SignerClient

	// IsPublished reports whether a key is published. Changes wakes waiters when that changes.
	IsPublished func(keyID string) bool
	Changes     *directory.Changes
}

// SignerClient asks the signer for tokens.
type SignerClient interface {
	Token(ctx context.Context, request signerapi.TokenRequest) (*signerapi.TokenResponse, error)
}

var signSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
	Name:    "kube_imds_issuer_mint_seconds",
	Help:    "Time to have a token signed by the signer.",
	Buckets: []float64{.001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 4},
})

// Collectors returns the package's metrics.
func Collectors() []prometheus.Collector { return []prometheus.Collector{signSeconds, exchanges} }

// Mint has a token signed.
func (s *Signer) Mint(ctx context.Context, request Request) (Minted, error) {
	start := time.Now()
	signed, err := s.Client.Token(ctx, signerapi.TokenRequest{
		Pod:      signerapi.Pod{UID: request.Pod.UID, Token: request.Pod.Token},
		Identity: request.Identity.Name, Resource: request.Resource,
	})
	if err != nil {
		return Minted{}, err
	}
	signSeconds.Observe(time.Since(start).Seconds())
	if err := s.awaitPublished(ctx, signed.KeyID); err != nil {
		return Minted{}, err
	}
	return Minted{Signed: token.Signed{
		Token: signed.Token, ID: signed.TokenID, KeyID: signed.KeyID,
		NotBefore: time.Unix(signed.NotBefore, 0), Expiry: time.Unix(signed.ExpiresOn, 0),
	}}, nil
}

// publishLag bounds how long a key that signs may be missing from what is published here.
const publishLag = 2 * time.Second

// awaitPublished waits until a key is published here: the signer may know a cluster's first key earlier. A token of a key that
// was just revoked is never issued.
func (s *Signer) awaitPublished(ctx context.Context, keyID string) error {
	ctx, cancel := context.WithTimeout(ctx, publishLag)
	defer cancel()
	for {
		changed := s.Changes.Next()
		if s.IsPublished(keyID) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return failure.NotNow("the token was signed with key " + keyID + ", which is not published")
		}
	}
}
