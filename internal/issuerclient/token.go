package issuerclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

var _ imds.TokenSource = (*Client)(nil)

// Token asks the issuer for a token.
func (c *Client) Token(ctx context.Context, request imds.TokenRequest) (*imds.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, err := json.Marshal(issuerapi.TokenRequest{
		Resource:   request.Resource,
		ClientID:   request.ClientID,
		ObjectID:   request.ObjectID,
		ResourceID: request.ResourceID,
	})
	if err != nil {
		return nil, fmt.Errorf("render a token request: %w", err)
	}
	response, err := c.call(ctx, http.MethodPost, issuerapi.TokenPath, http.Header{"Content-Type": {"application/json"}}, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, refusalOf(response)
	}
	var answer issuerapi.TokenResponse
	if err := decode(response, &answer); err != nil {
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
