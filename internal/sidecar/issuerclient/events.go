package issuerclient

import (
	"context"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// Events asks the issuer for the pod's disruptions.
func (c *Client) Events(ctx context.Context) (*issuerapi.Events, error) {
	var answer issuerapi.Events
	if err := c.ask(ctx, http.MethodGet, issuerapi.EventsPath, nil, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// EventCache caches events for a second, and serves them while the issuer is away.
type EventCache struct{ cache cache[issuerapi.Events] }

// NewEventCache returns a cache in front of the issuer.
func NewEventCache(issuer interface {
	Events(ctx context.Context) (*issuerapi.Events, error)
}, now func() time.Time) *EventCache {
	return &EventCache{cache[issuerapi.Events]{fetch: issuer.Events, fresh: eventsFresh, now: now}}
}

// Events returns the issuer's last answer.
func (c *EventCache) Events(ctx context.Context) (*issuerapi.Events, error) {
	return c.cache.get(ctx)
}
