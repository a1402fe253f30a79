package mint

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/token"
)

// mintedSecret is in every token of a countingMinter, and must appear nowhere else.
const mintedSecret = "minted-secret"

const (
	vault   = "https://vault.azure.net"
	storage = "https://storage.azure.com/"
)

// countingMinter numbers the tokens that it makes.
type countingMinter struct {
	mu    sync.Mutex
	life  time.Duration
	takes time.Duration
	err   error
	made  int
	keyID string
}

func (m *countingMinter) Mint(_ context.Context, request Request) (Minted, error) {
	m.mu.Lock()
	m.made++
	number, takes, err, life, keyID := m.made, m.takes, m.err, m.life, m.keyID
	m.mu.Unlock()
	now := time.Now()
	time.Sleep(takes)
	if err != nil {
		return Minted{}, err
	}
	return Minted{Signed: token.Signed{
		Token: fmt.Sprintf("%s %d %s %s", mintedSecret, number, request.Identity.Name, request.Resource),
		ID:    fmt.Sprintf("token-%d", number), KeyID: keyID, NotBefore: now, Expiry: now.Add(life),
	}}, nil
}

// become changes the minter, which may be minting.
func (m *countingMinter) become(change func(*countingMinter)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// fail makes the minter fail from now on, or succeed again with nil.
func (m *countingMinter) fail(err error) { m.become(func(m *countingMinter) { m.err = err }) }

func (m *countingMinter) wantMade(t *testing.T, want int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made != want {
		t.Errorf("%d tokens were minted, want %d", m.made, want)
	}
}

func mint(t *testing.T, minter Minter, identity *v1alpha1.ManagedIdentity, resource string) Minted {
	t.Helper()
	minted, err := minter.Mint(t.Context(), Request{Identity: identity, Resource: resource})
	if err != nil {
		t.Fatal(err)
	}
	return minted
}

func TestLocalMinter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		minter := localMinter(t)
		minter.Issuers.EntraResources = []string{storage}
		for resource, issuer := range map[string]string{
			vault:   "https://oidc.test/" + tenant + "/v2.0",
			storage: "https://sts.windows.net/" + tenant + "/",
		} {
			minted := mint(t, minter, identity("orders"), resource)
			claims := jwt.MapClaims{}
			parsed, _, err := jwt.NewParser().ParseUnverified(minted.Token, claims)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Header["kid"] != minter.Key().ID || minted.KeyID != minter.Key().ID || claims["iss"] != issuer || claims["aud"] != resource ||
				claims["uti"] != minted.ID || claims["xms_az_rid"] != "/the/machine" ||
				claims["nbf"] != float64(minted.NotBefore.Unix()) || claims["exp"] != float64(minted.Expiry.Unix()) {
				t.Errorf("%+v differs from the token: %v %v", minted, parsed.Header, claims)
			}
		}
	})
}

func localMinter(t testing.TB) *Local {
	t.Helper()
	key := build.Key(t)
	return &Local{
		Key: func() *token.Key { return key }, Machine: "/the/machine", Issuers: token.Issuers{BaseURL: "https://oidc.test"}, Now: time.Now,
	}
}

const tenant = "11111111-2222-4333-8444-555555555555"

func identity(name string) *v1alpha1.ManagedIdentity {
	return build.NewIdentity(name).Local(tenant).Ready().ManagedIdentity
}

// minterFunc mints with a context.
type minterFunc func(ctx context.Context) (Minted, error)

func (f minterFunc) Mint(ctx context.Context, _ Request) (Minted, error) {
	return f(ctx)
}

// BenchmarkMint measures a cached token and a signed one.
func BenchmarkMint(b *testing.B) {
	signing := localMinter(b)
	for name, minter := range map[string]Minter{
		"signing": signing,
		"cached":  NewCache(signing, time.Now),
	} {
		b.Run(name, func(b *testing.B) {
			orders := identity("orders")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := minter.Mint(b.Context(), Request{Identity: orders, Resource: vault}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
