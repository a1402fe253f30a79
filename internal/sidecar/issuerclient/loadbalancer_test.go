package issuerclient

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/imds"
)

func TestLoadBalancerIsRead(t *testing.T) {
	t.Parallel()
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/loadbalancer" {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, `{"public_ip_addresses":[{"frontend_ip_address":"f","private_ip_address":"p"}],`+
			`"inbound_rules":[{"frontend_ip_address":"f","protocol":"tcp","frontend_port":80,"backend_port":8080,"private_ip_address":"p"}]}`)
	}).client(t)
	got, err := client.LoadBalancer(t.Context())
	want := &imds.LoadBalancer{
		PublicIPAddresses: []imds.FrontendAddress{{FrontendIPAddress: "f", PrivateIPAddress: "p"}},
		InboundRules: []imds.InboundRule{
			{FrontendIPAddress: "f", Protocol: "tcp", FrontendPort: 80, BackendPort: 8080, PrivateIPAddress: "p"},
		},
	}
	if difference := cmp.Diff(want, got); err != nil || difference != "" {
		t.Errorf("%v (-want +got):\n%s", err, difference)
	}
}

// balancers is a source that counts its questions.
type balancers struct{ asked int }

func (s *balancers) LoadBalancer(context.Context) (*imds.LoadBalancer, error) {
	s.asked++
	return &imds.LoadBalancer{}, nil
}

func TestLoadBalancerIsRememberedForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &balancers{}
		cache := NewLoadBalancerCache(source, time.Now)
		for _, step := range []struct {
			later time.Duration
			asked int
		}{{0, 1}, {loadBalancerFresh - 1, 1}, {1, 2}} {
			time.Sleep(step.later)
			if _, err := cache.LoadBalancer(t.Context()); err != nil || source.asked != step.asked {
				t.Errorf("the source was asked %d times, not %d: %v", source.asked, step.asked, err)
			}
		}
	})
}
