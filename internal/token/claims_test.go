package token

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestNewClaims(t *testing.T) {
	t.Parallel()
	const vault, issuer = "https://vault.azure.net/", "https://issuer/"
	start := float64(noon.Unix())
	basic := map[string]any{
		"aud": vault, "iss": issuer, "idp": issuer,
		"iat": start - 300, "nbf": start - 300, "exp": start + 3600,
		"appid": "the-client", "appidacr": "2", "idtyp": "app",
		"oid": "the-principal", "sub": "the-principal", "tid": tenant,
		"ver": "1.0", "xms_mirid": "/subscriptions/s/the/identity",
	}
	type change = map[string]any
	with := func(changes change) map[string]any {
		changed := maps.Clone(basic)
		maps.Copy(changed, changes)
		return changed
	}
	const machine = "/providers/Microsoft.Compute/virtualMachines/VM"
	inPod := func(identity *v1alpha1.ManagedIdentity) Request {
		request := of(identity, vault)
		request.Machine = "/subscriptions/s/resourceGroups/G" + machine
		return request
	}
	named := of(orders(), vault)
	named.Workload = &Workload{"shop", Reference{"node-1", "n"}, Reference{"orders-0", "p"}, Reference{"orders", "a"}}
	for name, test := range map[string]struct {
		request Request
		want    map[string]any
	}{
		"user-assigned identity": {of(orders(), vault), basic},
		"audience without slash": {of(orders(), "https://vault.azure.net"), with(change{"aud": "https://vault.azure.net"})},
		"audience is not a URL":  {of(orders(), "api://Orders//x"), with(change{"aud": "api://Orders//x"})},
		"lifetime of a day":      {of(lasting(24*time.Hour), vault), with(change{"exp": start + 24*3600})},
		"attached to a pod": {
			inPod(orders()), with(change{"xms_az_rid": "/subscriptions/s/resourceGroups/G" + machine}),
		},
		"system-assigned, machine": {
			inPod(withResourceID(systemAssigned(), "/subscriptions/s/resourceGroups/H"+machine)), with(change{
				"xms_mirid":  "/subscriptions/s/resourcegroups/H" + machine,
				"xms_az_rid": "/subscriptions/s/resourcegroups/H" + machine,
			}),
		},
		"system-assigned, pod": {
			inPod(withResourceID(systemAssigned(), "")), with(change{
				"xms_mirid":  "/subscriptions/s/resourcegroups/G" + machine,
				"xms_az_rid": "/subscriptions/s/resourcegroups/G" + machine,
			}),
		},
		"group named resourceGroups": {
			of(withResourceID(orders(), "/subscriptions/s/resourceGroups/resourceGroups"+machine), vault), with(change{
				"xms_mirid": "/subscriptions/s/resourcegroups/resourceGroups" + machine,
			}),
		},
		"with workload": {named, with(change{"kubernetes.io": map[string]any{
			"namespace": "shop", "node": map[string]any{"name": "node-1", "uid": "n"},
			"pod":            map[string]any{"name": "orders-0", "uid": "p"},
			"serviceaccount": map[string]any{"name": "orders", "uid": "a"},
		}})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims, err := NewClaims(test.request, issuer, noon)
			if err != nil {
				t.Fatal(err)
			}
			got := asJSON(t, claims)
			unique, _ := got["uti"].(string)
			if !regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(unique) {
				t.Errorf("uti = %q, want 22 characters of base64url", unique)
			}
			delete(got, "uti")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewClaimsAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		claims, err := NewClaims(of(orders(), "r"), "i", noon)
		if err != nil {
			t.Fatal(err)
		}
		if seen[claims.UniqueID] {
			t.Fatalf("two tokens have the ID %s", claims.UniqueID)
		}
		seen[claims.UniqueID] = true
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		identity *v1alpha1.ManagedIdentity
		want     time.Duration
	}{
		"default":  {orders(), time.Hour},
		"shortest": {lasting(15 * time.Minute), 15 * time.Minute},
		"longest":  {lasting(24 * time.Hour), 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Lifetime(test.identity); got != test.want {
				t.Errorf("tokens last %s, want %s", got, test.want)
			}
		})
	}
}

// A token must pass a validator that knows only the JWKS, as OpenID Connect libraries do.
func TestTokenVerifiesWithJWKS(t *testing.T) {
	t.Parallel()
	const resource = "https://storage.azure.com/"
	one, other := keys(t)
	issuer := IssuerURL(baseURL, tenant)
	claims, err := NewClaims(of(orders(), resource), issuer, noon)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := one.Sign(t.Context(), claims)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := asJSON(t, headerOf(t, signed)), (map[string]any{
		"typ": "JWT", "alg": "RS256", "kid": one.ID, "x5t": one.ID,
	}); !cmp.Equal(want, got) {
		t.Errorf("header (-want +got):\n%s", cmp.Diff(want, got))
	}

	both := jwks(t, other, one)
	for name, test := range map[string]struct {
		token            string
		audience, issuer string
		at               time.Time
		keys             jose.JSONWebKeySet
		want             bool
	}{
		"at once, without leeway": {signed, resource, issuer, noon, both, true},
		"last second":             {signed, resource, issuer, noon.Add(time.Hour - time.Second), both, true},
		"clock five minutes slow": {signed, resource, issuer, noon.Add(-5 * time.Minute), both, true},
		"expired":                 {signed, resource, issuer, noon.Add(time.Hour + time.Second), both, false},
		"another audience":        {signed, "https://storage.azure.com", issuer, noon, both, false},
		"another issuer":          {signed, resource, issuer + "/", noon, both, false},
		"other keys":              {signed, resource, issuer, noon, jwks(t, other), false},
		"changed claims":          {tamper(signed), resource, issuer, noon, both, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := jwt.Parse(test.token, func(token *jwt.Token) (any, error) {
				found := test.keys.Key(token.Header["kid"].(string))
				if len(found) != 1 {
					return nil, jwt.ErrTokenUnverifiable
				}
				return found[0].Key, nil
			}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(test.issuer), jwt.WithAudience(test.audience),
				jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return test.at }))
			if got := err == nil; got != test.want {
				t.Errorf("verifies: %t, want %t (%v)", got, test.want, err)
			}
		})
	}
}

// golang-jwt validates Claims by its methods, so they must agree with its JSON.
func TestClaimsMethodsAgreeWithJSON(t *testing.T) {
	t.Parallel()
	claims, err := NewClaims(of(orders(), "the resource"), "the issuer", noon)
	if err != nil {
		t.Fatal(err)
	}
	validator := jwt.NewValidator(jwt.WithIssuer("the issuer"), jwt.WithAudience("the resource"),
		jwt.WithSubject("the-principal"), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithTimeFunc(func() time.Time { return noon }))
	if err := validator.Validate(claims); err != nil {
		t.Errorf("valid token is refused: %v", err)
	}
	for name, at := range map[string]time.Time{"early": noon.Add(-301 * time.Second), "late": noon.Add(time.Hour)} {
		validator := jwt.NewValidator(jwt.WithTimeFunc(func() time.Time { return at }))
		if validator.Validate(claims) == nil {
			t.Errorf("a token that is too %s is accepted", name)
		}
	}
}

func asJSON(t *testing.T, value any) map[string]any {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(content, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func headerOf(t *testing.T, token string) json.RawMessage {
	t.Helper()
	encoded, _, _ := strings.Cut(token, ".")
	header, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return header
}

// tamper changes the token's principal and keeps the signature.
func tamper(token string) string {
	parts := strings.Split(token, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	payload = []byte(strings.ReplaceAll(string(payload), "the-principal", "the-principel"))
	parts[1] = base64.RawURLEncoding.EncodeToString(payload)
	return strings.Join(parts, ".")
}
