package imds

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// balancersFunc is a source of load balancers.
type balancersFunc func() (*LoadBalancer, error)

func (f balancersFunc) LoadBalancer(context.Context) (*LoadBalancer, error) { return f() }

func TestLoadBalancer(t *testing.T) {
	t.Parallel()
	const target = loadBalancerPath + "?api-version=2020-10-01"
	address := []FrontendAddress{{"20.1.2.3", "10.0.0.7"}}
	for name, test := range map[string]struct {
		target   string
		balancer *LoadBalancer
		err      error
		status   int
		body     string
	}{
		"with rules": {target, &LoadBalancer{address, []InboundRule{{"20.1.2.3", "tcp", 80, 8080, "10.0.0.7"}}}, nil, http.StatusOK,
			`{"loadbalancer":{"publicIpAddresses":[{"frontendIpAddress":"20.1.2.3","privateIpAddress":"10.0.0.7"}],` +
				`"inboundRules":[{"frontendIpAddress":"20.1.2.3","protocol":"tcp","frontendPort":80,"backendPort":8080,"privateIpAddress":"10.0.0.7"}],"outboundRules":[]}}`},
		"without rules": {target, &LoadBalancer{PublicIPAddresses: address}, nil, http.StatusOK,
			`{"loadbalancer":{"publicIpAddresses":[{"frontendIpAddress":"20.1.2.3","privateIpAddress":"10.0.0.7"}],"inboundRules":[],"outboundRules":[]}}`},
		"none": {target, &LoadBalancer{}, nil, http.StatusNotFound,
			`{ "error": "No load balancer metadata is found. Check if your virtual machine is using any nonbasic SKU load balancer and retry later." }`},
		"not known yet": {target, nil, Unavailable("later"), http.StatusServiceUnavailable, `{ "error": "later" }`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := balancersFunc(func() (*LoadBalancer, error) { return test.balancer, test.err })
			get(t, NewHandler(Sources{LoadBalancers: source}, time.Now), test.target).want(t, test.status, test.body)
		})
	}
}
