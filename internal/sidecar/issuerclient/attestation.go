package issuerclient

import (
	"context"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

var _ imds.AttestationSource = (*Client)(nil)

// Attest asks the issuer for an attested document.
func (c *Client) Attest(ctx context.Context, request imds.AttestationRequest) ([]byte, error) {
	var answer issuerapi.AttestationResponse
	if err := c.ask(ctx, http.MethodPost, issuerapi.AttestationPath, issuerapi.AttestationRequest(request), &answer); err != nil {
		return nil, err
	}
	return answer.Signature, nil
}
