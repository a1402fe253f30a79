package issuerclient

import (
	"context"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

var _ imds.IdentitySource = (*Client)(nil)

// Identity asks the issuer about an identity.
func (c *Client) Identity(ctx context.Context, selector imds.Selector) (*imds.Identity, error) {
	var answer issuerapi.Identity
	if err := c.ask(ctx, http.MethodPost, issuerapi.IdentityPath, issuerapi.IdentityRequest(selector), &answer); err != nil {
		return nil, err
	}
	return &imds.Identity{TenantID: answer.TenantID}, nil
}
