package issuerclient

import (
	"context"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// grantTimeout leaves the issuer time beyond that for which it holds a request.
const grantTimeout = (issuerapi.GrantWaitSeconds + 10) * time.Second

// Grant returns the pod's grant when it has another revision than the given one: at once if revision is "". It returns nil
// if nothing has changed after a while, or when other authorities are trusted.
func (c *Client) Grant(ctx context.Context, revision string) (*issuerapi.Grant, error) {
	over := c.connections()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(over.outdated, cancel)()
	grant, err := c.awaitGrant(ctx, over, revision)
	if err != nil && over.outdated.Err() != nil {
		return nil, nil
	}
	return grant, err
}

func (c *Client) awaitGrant(ctx context.Context, over *connections, revision string) (*issuerapi.Grant, error) {
	timeout, header := requestTimeout, http.Header{}
	if revision != "" {
		timeout = grantTimeout
		header.Set("If-None-Match", `"`+revision+`"`)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	response, err := c.call(ctx, over, http.MethodGet, issuerapi.GrantPath, header, nil)
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
