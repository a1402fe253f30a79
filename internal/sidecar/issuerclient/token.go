package issuerclient

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

var _ imds.TokenSource = (*Client)(nil)

// Token asks the issuer for a token.
func (c *Client) Token(ctx context.Context, request imds.TokenRequest) (*imds.Token, error) {
	var answer issuerapi.TokenResponse
	err := c.ask(ctx, http.MethodPost, issuerapi.TokenPath, issuerapi.TokenRequest{
		Resource:    request.Resource,
		ClientID:    request.ClientID,
		ObjectID:    request.ObjectID,
		ResourceID:  request.ResourceID,
		BypassCache: request.BypassCache,
	}, &answer)
	if err != nil {
		return nil, err
	}
	if answer.AccessToken == "" {
		return nil, errors.New("the issuer's answer holds no token")
	}
	return &imds.Token{
		AccessToken: answer.AccessToken,
		ClientID:    answer.ClientID,
		NotBefore:   time.Unix(answer.NotBefore, 0),
		ExpiresOn:   time.Unix(answer.ExpiresOn, 0),
	}, nil
}
