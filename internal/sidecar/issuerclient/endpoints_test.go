package issuerclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

func TestAttestationIsRead(t *testing.T) {
	t.Parallel()
	var asked string
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.Path + " " + string(body)
		io.WriteString(w, `{"signature":"MIL/"}`)
	}).client(t)
	got, err := client.Attest(t.Context(), imds.AttestationRequest{Nonce: "n", Version: "2021-02-01"})
	if err != nil || string(got) != "\x30\x82\xff" {
		t.Errorf("got %x, error %v", got, err)
	}
	if want := `POST /v1/attestation {"nonce":"n","version":"2021-02-01"}`; asked != want {
		t.Errorf("request = %s, want %s", asked, want)
	}
}

func TestIdentityIsRead(t *testing.T) {
	t.Parallel()
	var asked string
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.Path + " " + string(body)
		io.WriteString(w, `{"tenant_id":"t"}`)
	}).client(t)
	got, err := client.Identity(t.Context(), imds.Selector{ObjectID: "o"})
	if difference := cmp.Diff(&imds.Identity{TenantID: "t"}, got); err != nil || difference != "" {
		t.Errorf("%v (-want +got):\n%s", err, difference)
	}
	if want := `POST /v1/identity {"object_id":"o"}`; asked != want {
		t.Errorf("request = %s, want %s", asked, want)
	}
}

func TestIdentityIsRefused(t *testing.T) {
	t.Parallel()
	client := newIssuer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":"invalid_request","error_description":"Identity not found"}`)
	}).client(t)
	_, err := client.Identity(t.Context(), imds.Selector{})
	var refusal *imds.Error
	if !errors.As(err, &refusal) || refusal.Description != "Identity not found" {
		t.Errorf("got error %v", err)
	}
}

func TestInstanceIsRead(t *testing.T) {
	t.Parallel()
	client := newIssuer(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"name":"n","vm_id":"v","vm_size":"s","location":"l","zone":"z","azure_environment":"a",`+
			`"subscription_id":"u","resource_group_name":"g","resource_id":"/r","tags":[{"name":"k","value":"v"}],`+
			`"computer_name":"c","platform_fault_domain":"1","vm_scale_set_name":"x","vm_scale_set_id":"/x",`+
			`"user_data":"d","custom_data":"e"}`)
	}).client(t)
	got, err := client.Instance(t.Context())
	want := &imds.Instance{
		Name: "n", VMID: "v", VMSize: "s", Location: "l", Zone: "z", AzureEnvironment: "a",
		SubscriptionID: "u", ResourceGroupName: "g", ResourceID: "/r", Tags: []imds.Tag{{Name: "k", Value: "v"}},
		ComputerName: "c", PlatformFaultDomain: "1", VMScaleSetName: "x", VMScaleSetID: "/x", UserData: "d", CustomData: "e",
	}
	if difference := cmp.Diff(want, got); err != nil || difference != "" {
		t.Errorf("%v (-want +got):\n%s", err, difference)
	}
}

// instances is a source that counts requests and takes a second for each.
type instances struct {
	asked int
	name  string
	err   error
}

func (s *instances) Instance(context.Context) (*imds.Instance, error) {
	s.asked++
	time.Sleep(time.Second)
	if s.err != nil {
		return nil, s.err
	}
	return &imds.Instance{Name: s.name}, nil
}

func TestInstanceCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &instances{err: errors.New("away")}
		cache := NewInstanceCache(source, time.Now)
		want := func(when, name string, asked int) {
			t.Helper()
			instance, err := cache.Instance(t.Context())
			if name == "" && err == nil || name != "" && (err != nil || instance.Name != name) {
				t.Errorf("%s: got %v, error %v", when, instance, err)
			}
			if source.asked != asked {
				t.Errorf("%s: %d requests to the source", when, source.asked)
			}
		}
		want("before the source answers", "", 1)
		want("right after", "", 1)
		time.Sleep(failurePause)
		source.err, source.name = nil, "first"
		want("when it answers", "first", 2)
		source.name = "second"
		want("while that is fresh", "first", 2)
		time.Sleep(instanceFresh)
		want("when it is not", "second", 3)
		time.Sleep(instanceFresh)
		source.err = errors.New("away")
		want("while the source is away", "second", 4)
		want("right after that", "second", 4)
	})
}

func TestInstanceCacheSharesRequests(t *testing.T) {
	t.Parallel()
	source := &instances{err: errors.New("away")}
	now := time.Now()
	cache := NewInstanceCache(source, func() time.Time { return now })
	var asking sync.WaitGroup
	for range 10 {
		asking.Go(func() { cache.Instance(t.Context()) })
	}
	asking.Wait()
	if source.asked != 1 {
		t.Errorf("%d requests to the source", source.asked)
	}
}

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

// balancers is a source that counts requests.
type balancers struct{ asked int }

func (s *balancers) LoadBalancer(context.Context) (*imds.LoadBalancer, error) {
	s.asked++
	return &imds.LoadBalancer{}, nil
}

func TestLoadBalancerIsCached(t *testing.T) {
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
				t.Errorf("%d requests to the source, want %d: %v", source.asked, step.asked, err)
			}
		}
	})
}

func TestEventsAreRead(t *testing.T) {
	t.Parallel()
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/events" || r.Method != http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, `{"pod_name":"p","pod_created_on":7,"events":[{"id":"I","type":"Preempt","source":"User","not_before":9,"description":"d"}]}`)
	}).client(t)
	got, err := client.Events(t.Context())
	want := &issuerapi.Events{PodName: "p", PodCreatedOn: 7, Events: []issuerapi.Event{
		{ID: "I", Type: "Preempt", Source: "User", NotBefore: 9, Description: "d"},
	}}
	if difference := cmp.Diff(want, got); err != nil || difference != "" {
		t.Errorf("%v (-want +got):\n%s", err, difference)
	}
}

// events is a source that counts requests.
type events struct {
	asked int
	err   error
}

func (s *events) Events(context.Context) (*issuerapi.Events, error) {
	s.asked++
	return &issuerapi.Events{PodCreatedOn: int64(s.asked)}, s.err
}

func TestEventsAreRequestedOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &events{err: errors.New("away")}
		cache := NewEventCache(source, time.Now)
		if _, err := cache.Events(t.Context()); !errors.Is(err, source.err) {
			t.Errorf("before the first response: %v", err)
		}
		time.Sleep(failurePause)
		source.err = nil
		for _, step := range []struct {
			later time.Duration
			err   error
			known int64
		}{{0, nil, 2}, {time.Second - 1, nil, 2}, {1, nil, 3}, {time.Minute, errors.New("away"), 3}, {time.Minute, nil, 5}} {
			time.Sleep(step.later)
			source.err = step.err
			if got, err := cache.Events(t.Context()); err != nil || got.PodCreatedOn != step.known {
				t.Errorf("after another %s: got %+v, error %v, want response %d", step.later, got, err, step.known)
			}
		}
	})
}
