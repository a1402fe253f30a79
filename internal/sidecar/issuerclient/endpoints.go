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
	assertions, err := c.assertions()
	if err != nil {
		return nil, err
	}
	var answer issuerapi.TokenResponse
	err = c.ask(ctx, http.MethodPost, issuerapi.TokenPath, issuerapi.TokenRequest{
		Resource:    request.Resource,
		ClientID:    request.ClientID,
		ObjectID:    request.ObjectID,
		ResourceID:  request.ResourceID,
		BypassCache: request.BypassCache,
		Assertions:  assertions,
	}, &answer)
	if err != nil {
		return nil, err
	}
	if answer.AccessToken == "" {
		return nil, errors.New("the issuer's answer holds no token")
	}
	token := &imds.Token{
		AccessToken: answer.AccessToken,
		ClientID:    answer.ClientID,
		NotBefore:   time.Unix(answer.NotBefore, 0),
		ExpiresOn:   time.Unix(answer.ExpiresOn, 0),
	}
	if answer.RenewsOn != 0 {
		token.RenewsOn = time.Unix(answer.RenewsOn, 0)
	}
	return token, nil
}

// Assertion asks the issuer for an assertion of an identity, and returns when it expires.
func (c *Client) Assertion(ctx context.Context, clientID string) (string, time.Time, error) {
	var answer issuerapi.AssertionResponse
	if err := c.ask(ctx, http.MethodPost, issuerapi.AssertionPath, issuerapi.AssertionRequest{ClientID: clientID}, &answer); err != nil {
		return "", time.Time{}, err
	}
	if answer.Assertion == "" {
		return "", time.Time{}, errors.New("the issuer's answer holds no assertion")
	}
	return answer.Assertion, time.Unix(answer.ExpiresOn, 0), nil
}

var _ imds.IdentitySource = (*Client)(nil)

// Identity asks the issuer about an identity.
func (c *Client) Identity(ctx context.Context, selector imds.Selector) (*imds.Identity, error) {
	var answer issuerapi.Identity
	if err := c.ask(ctx, http.MethodPost, issuerapi.IdentityPath, issuerapi.IdentityRequest(selector), &answer); err != nil {
		return nil, err
	}
	return &imds.Identity{TenantID: answer.TenantID}, nil
}

var _ imds.AttestationSource = (*Client)(nil)

// Attest asks the issuer for an attested document.
func (c *Client) Attest(ctx context.Context, request imds.AttestationRequest) ([]byte, error) {
	var answer issuerapi.AttestationResponse
	if err := c.ask(ctx, http.MethodPost, issuerapi.AttestationPath, issuerapi.AttestationRequest(request), &answer); err != nil {
		return nil, err
	}
	return answer.Signature, nil
}

var _ imds.InstanceSource = (*Client)(nil)

// Instance asks the issuer for the pod's instance metadata.
func (c *Client) Instance(ctx context.Context) (*imds.Instance, error) {
	var answer issuerapi.Instance
	if err := c.ask(ctx, http.MethodGet, issuerapi.InstancePath, nil, &answer); err != nil {
		return nil, err
	}
	return InstanceOf(answer), nil
}

// InstanceOf converts the issuer's answer.
func InstanceOf(answer issuerapi.Instance) *imds.Instance {
	instance := &imds.Instance{
		Name:                answer.Name,
		ComputerName:        answer.ComputerName,
		VMID:                answer.VMID,
		VMSize:              answer.VMSize,
		Location:            answer.Location,
		Zone:                answer.Zone,
		PlatformFaultDomain: answer.PlatformFaultDomain,
		AzureEnvironment:    answer.AzureEnvironment,
		SubscriptionID:      answer.SubscriptionID,
		ResourceGroupName:   answer.ResourceGroupName,
		ResourceID:          answer.ResourceID,
		VMScaleSetName:      answer.VMScaleSetName,
		VMScaleSetID:        answer.VMScaleSetID,
		UserData:            answer.UserData,
		CustomData:          answer.CustomData,
	}
	for _, tag := range answer.Tags {
		instance.Tags = append(instance.Tags, imds.Tag(tag))
	}
	return instance
}

var _ imds.LoadBalancerSource = (*Client)(nil)

// LoadBalancer asks the issuer for the load balancers in front of the pod.
func (c *Client) LoadBalancer(ctx context.Context) (*imds.LoadBalancer, error) {
	var answer issuerapi.LoadBalancer
	if err := c.ask(ctx, http.MethodGet, issuerapi.LoadBalancerPath, nil, &answer); err != nil {
		return nil, err
	}
	return LoadBalancerOf(answer), nil
}

// LoadBalancerOf converts the issuer's answer.
func LoadBalancerOf(answer issuerapi.LoadBalancer) *imds.LoadBalancer {
	balancer := &imds.LoadBalancer{}
	for _, address := range answer.PublicIPAddresses {
		balancer.PublicIPAddresses = append(balancer.PublicIPAddresses, imds.FrontendAddress(address))
	}
	for _, rule := range answer.InboundRules {
		balancer.InboundRules = append(balancer.InboundRules, imds.InboundRule(rule))
	}
	return balancer
}

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
