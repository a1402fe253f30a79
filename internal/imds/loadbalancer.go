package imds

import (
	"context"
	"net/http"
)

// LoadBalancerSource describes the load balancers in front of the machine. Its errors are handled like TokenSource's.
type LoadBalancerSource interface {
	LoadBalancer(ctx context.Context) (*LoadBalancer, error)
}

// LoadBalancer describes how traffic reaches the machine from outside (imds-contract.md section 7).
type LoadBalancer struct {
	PublicIPAddresses []FrontendAddress
	InboundRules      []InboundRule
}

// FrontendAddress is the address of a load balancer and of the machine behind it.
type FrontendAddress struct {
	FrontendIPAddress string `json:"frontendIpAddress"`
	PrivateIPAddress  string `json:"privateIpAddress"`
}

// InboundRule maps a load balancer's port to the machine's.
type InboundRule struct {
	FrontendIPAddress string `json:"frontendIpAddress"`
	// Protocol is in lower case, such as tcp.
	Protocol         string `json:"protocol"`
	FrontendPort     int32  `json:"frontendPort"`
	BackendPort      int32  `json:"backendPort"`
	PrivateIPAddress string `json:"privateIpAddress"`
}

// loadBalancerEndpoint serves GET /metadata/loadbalancer.
type loadBalancerEndpoint struct {
	source LoadBalancerSource
}

func (e *loadBalancerEndpoint) serve(w http.ResponseWriter, r *http.Request, _, rawQuery string) *Error {
	q, refusal := parseQuery(rawQuery)
	if refusal != nil {
		return refusal
	}
	if _, refusal := q.version(loadBalancerSince); refusal != nil {
		return refusal
	}
	balancer, err := e.source.LoadBalancer(r.Context())
	if err != nil {
		return fromSource(err)
	}
	if len(balancer.PublicIPAddresses) == 0 {
		return errNoLoadBalancer
	}
	write(w, http.StatusOK, contentJSON, encode(object{"loadbalancer": struct {
		PublicIPAddresses []FrontendAddress `json:"publicIpAddresses"`
		InboundRules      []InboundRule     `json:"inboundRules"`
		OutboundRules     list              `json:"outboundRules"`
	}{balancer.PublicIPAddresses, append([]InboundRule{}, balancer.InboundRules...), list{}}}))
	return nil
}
