package imds

import (
	"context"
	"net/http"
)

// LoadBalancerSource tells which load balancers lead to the machine. Its errors are read as those of TokenSource.
type LoadBalancerSource interface {
	LoadBalancer(ctx context.Context) (*LoadBalancer, error)
}

// LoadBalancer is what leads to the machine from outside (imds-contract.md section 7).
type LoadBalancer struct {
	PublicIPAddresses []FrontendAddress
	InboundRules      []InboundRule
}

// FrontendAddress is a load balancer's address, and that of the machine behind it.
type FrontendAddress struct {
	FrontendIPAddress string `json:"frontendIpAddress"`
	PrivateIPAddress  string `json:"privateIpAddress"`
}

// InboundRule leads from a load balancer's port to one of the machine's.
type InboundRule struct {
	FrontendIPAddress string `json:"frontendIpAddress"`
	// Protocol is in lower case, as in tcp.
	Protocol         string `json:"protocol"`
	FrontendPort     int32  `json:"frontendPort"`
	BackendPort      int32  `json:"backendPort"`
	PrivateIPAddress string `json:"privateIpAddress"`
}

// loadBalancerEndpoint answers GET /metadata/loadbalancer.
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
