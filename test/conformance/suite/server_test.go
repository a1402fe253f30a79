package suite

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
)

const (
	sampleResource   = "https://vault.azure.net"
	sampleClientID   = "11111111-2222-3333-4444-555555555555"
	sampleObjectID   = "22222222-3333-4444-5555-666666666666"
	sampleResourceID = "/subscriptions/8d10da13-8125-4ba9-a717-bf7490507b3d/resourceGroups/shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders"
	sampleTenant     = "28a37578-cd01-54f5-804a-52ef0695644e"
	sampleName       = "orders-7d9f"
	sampleAddress    = "10.244.1.7"
	sampleEvent      = "C7061BAC-AFDC-4513-B24B-AA5F13A16123"
	sampleFrontend   = "203.0.113.10"
)

var sampleInstance = &imds.Instance{
	Name:                sampleName,
	ComputerName:        "orders",
	VMID:                "02aab8a4-74ef-476e-8182-f6d2ba4166a6",
	VMSize:              "Standard_D2s_v5",
	Location:            "westeurope",
	Zone:                "1",
	PlatformFaultDomain: "0",
	AzureEnvironment:    "AzurePublicCloud",
	SubscriptionID:      "8d10da13-8125-4ba9-a717-bf7490507b3d",
	ResourceGroupName:   "shop",
	ResourceID:          "/subscriptions/8d10da13-8125-4ba9-a717-bf7490507b3d/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/orders-7d9f",
	Tags:                []imds.Tag{{Name: "app", Value: "orders"}, {Name: "tier", Value: "<front>"}},
	UserData:            "greeting=hello",
	Interfaces: []imds.Interface{{
		MACAddress: "6045BDC89987", IPv4: []string{sampleAddress}, IPv6: []string{"fd00::7"},
		Subnets: []imds.Subnet{{Address: "10.244.1.0", Prefix: "24"}},
	}},
}

// fixed is a source of constant answers for one identity.
type fixed struct{}

func (fixed) Token(_ context.Context, request imds.TokenRequest) (*imds.Token, error) {
	if !knows(request.Selector) {
		return nil, errIdentity
	}
	now := time.Now()
	return &imds.Token{
		AccessToken: segment(`{"alg":"RS256"}`) + "." + segment(`{"tid":"`+sampleTenant+`"}`) + "." + segment("signature"),
		ClientID:    sampleClientID, NotBefore: now.Add(-5 * time.Minute), ExpiresOn: now.Add(24 * time.Hour),
	}, nil
}

func (fixed) Identity(_ context.Context, selector imds.Selector) (*imds.Identity, error) {
	if !knows(selector) {
		return nil, errIdentity
	}
	return &imds.Identity{TenantID: sampleTenant}, nil
}

func (fixed) Instance(context.Context) (*imds.Instance, error) { return sampleInstance, nil }

func (fixed) LoadBalancer(context.Context) (*imds.LoadBalancer, error) {
	return &imds.LoadBalancer{
		PublicIPAddresses: []imds.FrontendAddress{{FrontendIPAddress: sampleFrontend, PrivateIPAddress: sampleAddress}},
		InboundRules: []imds.InboundRule{{
			FrontendIPAddress: sampleFrontend, Protocol: "tcp", FrontendPort: 80, BackendPort: 8080, PrivateIPAddress: sampleAddress,
		}},
	}, nil
}

func (fixed) Events(context.Context) (*imds.Events, error) {
	return &imds.Events{Incarnation: 2, Events: []imds.Event{
		{ID: sampleEvent, Type: "Redeploy", Resource: sampleName, NotBefore: time.Unix(1709809680, 0), Description: "Maintenance", Source: "Platform"},
		{ID: "D8171CBD-0000-4000-8000-000000000001", Type: "Terminate", Resource: sampleName, Started: true, Source: "User"},
	}}, nil
}

func (fixed) StartEvents(_ context.Context, ids []string) error {
	for _, id := range ids {
		if id != sampleEvent {
			return imds.ErrNoSuchEvent
		}
	}
	return nil
}

var errIdentity = &imds.Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: "Identity not found"}

func knows(selector imds.Selector) bool {
	switch selector {
	case imds.Selector{}, imds.Selector{ClientID: sampleClientID}, imds.Selector{ObjectID: sampleObjectID}, imds.Selector{ResourceID: sampleResourceID}:
		return true
	}
	return false
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func fixedHandler() http.Handler {
	sources := imds.Sources{Tokens: fixed{}, Identities: fixed{}, Instances: fixed{}, LoadBalancers: fixed{}, Events: fixed{}}
	return imds.OnlyHosts(imds.NewHandler(sources, time.Now), imds.LocalHost)
}

// serve serves a handler like the sidecar until the test ends.
func serve(t *testing.T, handler http.Handler) Target {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, served := imds.NewServer(handler, slog.New(slog.DiscardHandler)), make(chan struct{})
	go func() {
		_ = server.Serve(listener) // it ends with the test
		close(served)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return Target{
		URL: "http://" + listener.Addr().String(), Resource: sampleResource,
		ClientID: sampleClientID, ObjectID: sampleObjectID, ResourceID: sampleResourceID,
	}
}
