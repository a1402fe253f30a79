package entra

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

const resourceID = "/subscriptions/s/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders"

// tokenOf returns header and claims of a token, which it verifies with the published keys.
func (w *world) tokenOf(t *testing.T, got response) (header map[string]any, claims jwt.MapClaims) {
	t.Helper()
	text, _ := got.body["access_token"].(string)
	claims = jwt.MapClaims{}
	token, err := jwt.ParseWithClaims(text, claims, func(token *jwt.Token) (any, error) {
		var set jose.JSONWebKeySet
		if err := json.Unmarshal([]byte(w.get(t, "/"+tenant+"/discovery/v2.0/keys").raw), &set); err != nil {
			return nil, err
		}
		found := set.Key(token.Header["kid"].(string))
		if len(found) != 1 {
			return nil, jwt.ErrTokenUnverifiable
		}
		return found[0].Key, nil
	}, jwt.WithTimeFunc(w.clock.now), jwt.WithIssuedAt(), jwt.WithExpirationRequired())
	if err != nil {
		t.Fatalf("%d %s: %v", got.status, got.raw, err)
	}
	return token.Header, claims
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Register(Identity{
		TenantID: strings.ToUpper(tenant), ClientID: strings.ToUpper(orders), ObjectID: "object", ResourceID: resourceID,
		Credentials: []Credential{w.credential("/cluster"), w.credential("/slash/")},
	})
	w.Register(Identity{TenantID: tenant, ClientID: bills, ObjectID: "bills", Credentials: []Credential{w.credential("/cluster")}})
	const (
		versionOneIssuer = "https://sts.windows.net/" + tenant + "/"
		lowerID          = "/subscriptions/s/resourcegroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders"
	)
	start := float64(noon.Unix())
	basic := func(changes map[string]any) map[string]any {
		claims := map[string]any{
			"aud": vault, "iss": versionOneIssuer, "idp": versionOneIssuer, "iat": start - 300, "nbf": start - 300, "exp": start + 86400,
			"appid": orders, "appidacr": "2", "idtyp": "app", "oid": "object", "sub": "object", "tid": tenant, "ver": "1.0", "xms_mirid": lowerID,
		}
		for name, value := range changes {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		return claims
	}
	const versionOne = "/" + tenant + "/oauth2/token"
	for name, test := range map[string]struct {
		changes []func(*request)
		want    map[string]any
	}{
		"a resource":               {nil, basic(nil)},
		"slash at the end":         {[]func(*request){with("scope", vault+"//.default")}, basic(map[string]any{"aud": vault + "/"})},
		"scopes that clients add":  {[]func(*request){with("scope", "openid offline_access "+vault+"/.default profile")}, basic(nil)},
		"twice the same":           {[]func(*request){with("scope", vault+"/.default "+vault+"/.default")}, basic(nil)},
		"IDs in capitals":          {[]func(*request){with("client_id", strings.ToUpper(orders)), at("/" + strings.ToUpper(tenant) + "/oauth2/v2.0/token")}, basic(nil)},
		"audience in an array":     {[]func(*request){claiming("aud", []string{audience})}, basic(nil)},
		"issuer ends in a slash":   {[]func(*request){claiming("iss", w.website.URL+"/slash/")}, basic(nil)},
		"application":              {[]func(*request){with("client_id", bills)}, basic(map[string]any{"appid": bills, "oid": "bills", "sub": "bills", "xms_mirid": nil})},
		"endpoint of version 1":    {[]func(*request){at(versionOne), with("resource", vault)}, basic(nil)},
		".default of version 1":    {[]func(*request){at(versionOne), with("resource", vault+"/"), with("scope", "x")}, basic(map[string]any{"aud": vault + "/"})},
		"no capability":            {[]func(*request){with("claims", `{"access_token":{"nbf":{"essential":true,"value":"1"}}}`)}, basic(nil)},
		"continuous evaluation":    {[]func(*request){with("claims", `{"access_token":{"xms_cc":{"values":["CP1"]}}}`)}, basic(map[string]any{"xms_cc": []any{"CP1"}})},
		"capability in lower case": {[]func(*request){with("claims", `{"access_token":{"xms_cc":{"values":["x","cp1"]}}}`)}, basic(map[string]any{"xms_cc": []any{"cp1"}})},
		"resource of version 2": {[]func(*request){with("scope", shop+"/.default")}, basic(map[string]any{
			"aud": shopID, "iss": "https://login.microsoftonline.com/" + tenant + "/v2.0", "idp": nil, "ver": "2.0",
			"appid": nil, "appidacr": nil, "azp": orders, "azpacr": "2",
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header, claims := w.tokenOf(t, w.ask(t, test.changes...))
			for name, pattern := range map[string]string{"uti": `^[\w-]{22}$`, "rh": `^1\.[\w-]+\.$`, "aio": `^[\w-]+$`} {
				if text, _ := claims[name].(string); !regexp.MustCompile(pattern).MatchString(text) {
					t.Errorf("%s = %v", name, claims[name])
				}
				delete(claims, name)
			}
			if diff := cmp.Diff(test.want, map[string]any(claims)); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			wantHeader := map[string]any{"typ": "JWT", "alg": "RS256", "kid": w.key.id, "x5t": w.key.id}
			if test.want["ver"] == "2.0" {
				delete(wantHeader, "x5t")
			}
			if diff := cmp.Diff(wantHeader, header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormOfTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RefreshIn = 43199
	for name, test := range map[string]struct {
		changes []func(*request)
		want    map[string]any
	}{
		"version 2": {nil, map[string]any{
			"token_type": "Bearer", "expires_in": 86399., "ext_expires_in": 86399., "refresh_in": 43199.,
		}},
		"version 1": {[]func(*request){at("/" + tenant + "/oauth2/token"), with("resource", vault)}, map[string]any{
			"token_type": "Bearer", "expires_in": "86399", "ext_expires_in": "86399", "refresh_in": "43199",
			"not_before": "1795780500", "expires_on": "1795867200", "resource": vault,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := w.ask(t, test.changes...)
			if got.status != http.StatusOK {
				t.Fatalf("got %d %s", got.status, got.raw)
			}
			wantHeaders(t, got)
			w.tokenOf(t, got)
			delete(got.body, "access_token")
			if diff := cmp.Diff(test.want, got.body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}
