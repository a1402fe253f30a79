package issuerclient

import (
	"context"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// grantTimeout leaves the issuer some time beyond that for which it holds a request.
const grantTimeout = (issuerapi.GrantWaitSeconds + 10) * time.Second

// Grant waits until the pod's grant is no longer of the given revision. It answers at once where the revision is
// empty, and with nil where the issuer has nothing new to say after a while.
func (c *Client) Grant(ctx context.Context, revision string) (*issuerapi.Grant, error) {
	timeout, header := requestTimeout, http.Header{}
	if revision != "" {
		timeout = grantTimeout
		header.Set("If-None-Match", `"`+revision+`"`)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	response, err := c.call(ctx, http.MethodGet, issuerapi.GrantPath, header, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusNotModified:
		return nil, nil
	case http.StatusOK:
		var grant issuerapi.Grant
		if err := decode(response, &grant); err != nil {
			return nil, err
		}
		return &grant, nil
	}
	return nil, refusalOf(response)
}
