package issuerclient

import (
	"context"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// Events asks the issuer what is to become of the pod.
func (c *Client) Events(ctx context.Context) (*issuerapi.Events, error) {
	var answer issuerapi.Events
	if err := c.ask(ctx, http.MethodGet, issuerapi.EventsPath, nil, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// EventCache remembers for a second what the issuer says of events, and goes on saying it while the issuer is away.
type EventCache struct{ cache cache[issuerapi.Events] }

// NewEventCache remembers what the issuer says.
func NewEventCache(issuer interface {
	Events(ctx context.Context) (*issuerapi.Events, error)
}, now func() time.Time) *EventCache {
	return &EventCache{cache[issuerapi.Events]{fetch: issuer.Events, fresh: eventsFresh, now: now}}
}

// Events is what the issuer says or said last.
func (c *EventCache) Events(ctx context.Context) (*issuerapi.Events, error) {
	return c.cache.get(ctx)
}
