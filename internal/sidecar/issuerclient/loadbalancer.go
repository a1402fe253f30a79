package issuerclient

import (
	"context"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

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
