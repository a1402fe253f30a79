package keyvault

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/go-logr/logr"
	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/keyvault/store"
	"github.com/kube-imds/kube-imds/internal/resource/bearer"
	"github.com/kube-imds/kube-imds/internal/resource/role"
	"github.com/kube-imds/kube-imds/internal/testing/tokens"
)

const (
	vaultHost = "orders.vault.kube-imds-system.svc"
	vaultURL  = "https://" + vaultHost
	resource  = "https://vault.kube-imds-system.svc"
	principal = "0b5e0000-0000-4000-8000-000000000001"
)

// fixture is a vault in memory, and a caller with a role there who uses it by the published SDKs.
type fixture struct {
	server  *Server
	handler http.Handler
	role    atomic.Pointer[v1alpha1.RoleName]

	mu    sync.Mutex
	later time.Duration
}

func newFixture(t testing.TB, role v1alpha1.RoleName) *fixture {
	t.Helper()
	f := &fixture{}
	f.role.Store(&role)
	vault := &Vault{
		Namespace: "shop", Name: "orders", UID: "uid", Host: vaultHost, Resource: resource, TenantID: tokens.Tenant,
		Authority: tokens.BaseURL + "/" + tokens.Tenant, RetentionDays: 90,
	}
	f.server = &Server{
		Find:        func(context.Context, string) (*Vault, error) { return vault, nil },
		Assignments: f.assignments, Records: &store.Memory{}, Location: "local", Now: f.now, Log: logr.Discard(),
		Bearer: &bearer.Validator{BaseURL: tokens.BaseURL, Keys: tokens.Keys(t), Now: time.Now},
	}
	f.handler = f.server.Handler()
	return f
}

func (f *fixture) assignments(context.Context, *Vault) ([]role.Assignment, error) {
	return []role.Assignment{{Principal: principal, Role: *f.role.Load(), Scope: role.Scope{Namespace: "shop", KeyVault: "orders"}}}, nil
}

func (f *fixture) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Now().Add(f.later)
}

// wait makes the vault's clock go on.
func (f *fixture) wait(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.later += d
}

// token returns the caller's token.
func (f *fixture) token(t testing.TB) string {
	t.Helper()
	return tokens.Sign(t, jwt.SigningMethodRS256, tokens.Key(t), tokens.KeyID, jwt.MapClaims{
		"iss": tokens.BaseURL + "/" + tokens.Tenant + "/v2.0", "aud": resource, "tid": tokens.Tenant, "oid": principal, "appid": "client",
		"nbf": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
}

// credential is the caller's, for SDKs.
type credential string

func (c credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(c), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// Do sends an SDK's request to the vault.
func (f *fixture) Do(request *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if request.Body == nil {
		request.Body = http.NoBody
	}
	f.handler.ServeHTTP(recorder, request)
	response := recorder.Result()
	response.Request = request
	return response, nil
}

// options are those of SDKs at default settings, but for what leads to the vault.
func (f *fixture) options() azcore.ClientOptions {
	return azcore.ClientOptions{Transport: f, Retry: policy.RetryOptions{MaxRetries: -1}}
}

// send sends a request by hand, and returns the status and the body.
func (f *fixture) send(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, vaultURL+path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer "+f.token(t))
	recorder := httptest.NewRecorder()
	f.handler.ServeHTTP(recorder, request)
	return recorder.Code, recorder.Body.String()
}

func must(t *testing.T, err error, doing string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", doing, err)
	}
}

// wantError checks the status and parts of an SDK's error.
func wantError(t *testing.T, what string, err error, status int, parts ...string) {
	t.Helper()
	failed, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok || failed.StatusCode != status {
		t.Errorf("%s: error = %v, want status %d", what, err, status)
		return
	}
	for _, part := range parts {
		if !strings.Contains(failed.Error(), part) {
			t.Errorf("%s: error misses %q: %v", what, part, failed)
		}
	}
}

func failure[T any](_ T, err error) error { return err }
