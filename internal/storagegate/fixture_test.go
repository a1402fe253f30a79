package storagegate

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/resource/bearer"
	"github.com/kube-imds/kube-imds/internal/resource/role"
	"github.com/kube-imds/kube-imds/internal/testing/tokens"
)

const (
	tenant = tokens.Tenant
	issuer = tokens.BaseURL
	domain = "kube-imds-system.svc"
)

// gateTest is a gate of the accounts orders, of namespace shop, and open, which admits shared keys. What passes it is recorded.
type gateTest struct {
	*Server

	mu     sync.Mutex
	log    bytes.Buffer
	passed []*http.Request
	bodies []string
}

func newGate(t testing.TB) *gateTest {
	t.Helper()
	g := &gateTest{}
	backend := httptest.NewTLSServer(http.HandlerFunc(g.backend))
	t.Cleanup(backend.Close)
	address, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(address.Port())
	g.Server = &Server{
		Find: g.find, Assignments: g.assignments, Bearer: &bearer.Validator{BaseURL: issuer, Keys: tokens.Keys(t), Now: time.Now}, Patience: time.Minute, Now: time.Now,
		Backend: &Backend{Ports: map[Service]int{Blob: port, Queue: port, Table: port}, Transport: backend.Client().Transport, Now: time.Now},
		Log: funcr.New(func(_, line string) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.log.WriteString(line + "\n")
		}, funcr.Options{}),
	}
	return g
}

// backend takes the place of Azurite, to see what passes.
func (g *gateTest) backend(writer http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passed, g.bodies = append(g.passed, request), append(g.bodies, string(body))
	writer.Header().Set("x-ms-request-id", "of the backend")
	writer.WriteHeader(http.StatusCreated)
}

func (g *gateTest) find(_ context.Context, host string) (*Account, error) {
	name, rest, _ := strings.Cut(host, ".")
	service, ending, _ := strings.Cut(rest, ".")
	if serviceOf(host) == "" || ending != domain || name != "orders" && name != "open" && name != "late" && name != "other" {
		return nil, nil
	}
	return &Account{Namespace: "shop", Name: name, Service: Service(service), Host: host, TenantID: tenant, SharedKey: name == "open", Ready: name != "late"}, nil
}

// assignments are those of writer at the account, and of reader at the container invoices, of every account.
func (g *gateTest) assignments(_ context.Context, account *Account) ([]role.Assignment, error) {
	at := role.Scope{Namespace: account.Namespace, StorageAccount: account.Name}
	in := at
	in.Object = role.Object{Kind: role.Containers, Name: "invoices"}
	return []role.Assignment{
		{Principal: "writer", Role: v1alpha1.StorageBlobDataContributor, Scope: at},
		{Principal: "writer", Role: v1alpha1.StorageTableDataContributor, Scope: at},
		{Principal: "writer", Role: v1alpha1.StorageQueueDataContributor, Scope: at},
		{Principal: "reader", Role: v1alpha1.StorageBlobDataReader, Scope: in},
		{Principal: "owner", Role: v1alpha1.StorageBlobDataOwner, Scope: at},
		{Principal: "clerk", Role: v1alpha1.StorageBlobDataContributor, Scope: in},
	}, nil
}

// token returns an Authorization header of a principal, with claims changed.
func (g *gateTest) token(t testing.TB, principal string, changes jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": issuer + "/" + tenant + "/v2.0", "aud": Resource, "tid": tenant, "oid": principal, "appid": "client",
		"nbf": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		claims[name] = value
	}
	return "Bearer " + tokens.Sign(t, jwt.SigningMethodRS256, tokens.Key(t), tokens.KeyID, claims)
}

// send sends a request to the blobs of orders, unless the URL names another host.
func (g *gateTest) send(t testing.TB, method, target, authorization string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	request := newRequest(t, method, target, authorization)
	for name, value := range header {
		request.Header.Set(name, value)
	}
	return g.answer(request)
}

func newRequest(t testing.TB, method, target, authorization string) *http.Request {
	t.Helper()
	if strings.HasPrefix(target, "/") {
		target = "https://orders.blob." + domain + target
	}
	request := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader("content"))
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	return request
}

func (g *gateTest) answer(request *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	g.Server.ServeHTTP(recorder, request)
	return recorder
}
