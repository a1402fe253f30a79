package imds

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// tokensFunc is a source of tokens.
type tokensFunc func(TokenRequest) (*Token, error)

func (f tokensFunc) Token(_ context.Context, request TokenRequest) (*Token, error) { return f(request) }

// instancesFunc is a source of instance metadata.
type instancesFunc func() (*Instance, error)

func (f instancesFunc) Instance(context.Context) (*Instance, error) { return f() }

// identitiesFunc is a source of identities.
type identitiesFunc func(Selector) (*Identity, error)

func (f identitiesFunc) Identity(_ context.Context, selector Selector) (*Identity, error) {
	return f(selector)
}

// The response recorded in imds-contract.md section 4 is 83 seconds younger than its token.
var (
	recordedNow   = time.Unix(1709809680, 0)
	recordedToken = &Token{
		AccessToken: "eyJ0eXAi.eyJ0aWQi.c2ln",
		ClientID:    "11111111-2222-3333-4444-555555555555",
		NotBefore:   time.Unix(1709809297, 0),
		ExpiresOn:   time.Unix(1709895997, 0),
	}
)

const sampleTenant = "28a37578-cd01-54f5-804a-52ef0695644e"

var sampleInstance = &Instance{
	Name:              "orders-7d9f",
	VMID:              "02aab8a4-74ef-476e-8182-f6d2ba4166a6",
	VMSize:            "Standard_D2s_v5",
	Location:          "westeurope",
	Zone:              "1",
	AzureEnvironment:  "AzurePublicCloud",
	SubscriptionID:    "8d10da13-8125-4ba9-a717-bf7490507b3d",
	ResourceGroupName: "shop",
	ResourceID:        "/subscriptions/8d10da13-8125-4ba9-a717-bf7490507b3d/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/orders-7d9f",
	Tags:              []Tag{{"app", "orders"}, {"tier", "<front>"}},
	Interfaces: []Interface{{
		MACAddress: "6045BDC89987", IPv4: []string{"10.244.1.7"}, IPv6: []string{"fd00::7"}, Subnets: []Subnet{{"10.244.1.0", "24"}},
	}},
	ComputerName:        "orders",
	PlatformFaultDomain: "2",
	VMScaleSetName:      "np-vmss",
	VMScaleSetID:        "/subscriptions/8d10da13-8125-4ba9-a717-bf7490507b3d/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/np-vmss",
	UserData:            "greeting=hello",
	CustomData:          "#cloud-config\n",
}

// builder builds a handler.
type builder struct {
	tokens     tokensFunc
	identities identitiesFunc
	instances  instancesFunc
	events     *eventsFake
	now        time.Time
}

func newIMDS() *builder {
	return &builder{
		tokens:     func(TokenRequest) (*Token, error) { return recordedToken, nil },
		identities: func(Selector) (*Identity, error) { return &Identity{TenantID: sampleTenant}, nil },
		instances:  func() (*Instance, error) { return sampleInstance, nil },
		events:     &eventsFake{events: Events{Incarnation: 2, Events: []Event{sampleEvent("Redeploy", false)}}},
		now:        recordedNow,
	}
}

func (b *builder) tokensFrom(source tokensFunc) *builder { b.tokens = source; return b }

func (b *builder) failingWith(err error) *builder {
	b.tokens = func(TokenRequest) (*Token, error) { return nil, err }
	b.identities = func(Selector) (*Identity, error) { return nil, err }
	b.instances = func() (*Instance, error) { return nil, err }
	b.events = &eventsFake{err: err}
	return b
}

// recordingTo records the requests to the source of tokens.
func (b *builder) recordingTo(asked *[]TokenRequest) *builder {
	return b.tokensFrom(func(request TokenRequest) (*Token, error) {
		*asked = append(*asked, request)
		return recordedToken, nil
	})
}

func (b *builder) build() *Handler {
	return NewHandler(b.sources(), func() time.Time { return b.now })
}

func (b *builder) sources() Sources {
	return Sources{Tokens: b.tokens, Identities: b.identities, Instances: b.instances, Events: b.events}
}

// answer is a response.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request with the header Metadata, and others as "Name: value". A header "Metadata:" removes it.
func ask(t *testing.T, handler http.Handler, method, target string, headers ...string) answer {
	t.Helper()
	request := httptest.NewRequest(method, target, http.NoBody)
	// As a server sees it: NewRequest splits an absolute target.
	request.RequestURI = target
	request.Header.Set("Metadata", "true")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ":")
		request.Header.Set(name, strings.TrimSpace(value))
		if value == "" {
			request.Header.Del(name)
		}
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	body, err := io.ReadAll(recorder.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{recorder.Code, recorder.Header(), string(body)}
}

// get sends a GET request.
func get(t *testing.T, handler http.Handler, target string, headers ...string) answer {
	t.Helper()
	return ask(t, handler, http.MethodGet, target, headers...)
}

// tokenTarget returns a valid token request with more parameters.
func tokenTarget(more string) string {
	return tokenPath + "?api-version=2018-02-01&resource=https://vault.azure.net" + more
}

// want checks a status and a body.
func (a answer) want(t *testing.T, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("got  %d %s\nwant %d %s", a.status, a.body, status, body)
	}
}
