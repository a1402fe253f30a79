package bearer

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/testing/tokens"
)

const (
	tenant   = tokens.Tenant
	base     = tokens.BaseURL
	audience = "https://vault.azure.net"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func newValidator(t testing.TB) *Validator {
	t.Helper()
	return &Validator{BaseURL: base, Keys: tokens.Keys(t), Now: func() time.Time { return noon }}
}

// signed returns a token with claims changed.
func signed(t testing.TB, method jwt.SigningMethod, secret any, kid string, changes jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": base + "/" + tenant + "/v2.0", "aud": audience, "tid": tenant, "oid": "principal", "sub": "subject", "appid": "client",
		"nbf": noon.Add(-time.Minute).Unix(), "exp": noon.Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return tokens.Sign(t, method, secret, kid, claims)
}

func TestValidate(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKIXPublicKey(&tokens.Key(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded})
	ours := func(changes jwt.MapClaims) string {
		return "Bearer " + signed(t, jwt.SigningMethodRS256, tokens.Key(t), tokens.KeyID, changes)
	}
	for name, test := range map[string]struct {
		header string
		reason Reason
	}{
		"right":                      {ours(nil), ""},
		"Microsoft's issuer":         {ours(jwt.MapClaims{"iss": "https://sts.windows.net/" + tenant + "/"}), ""},
		"several audiences":          {ours(jwt.MapClaims{"aud": []string{"other", audience + "/"}}), ""},
		"a clock behind":             {ours(jwt.MapClaims{"exp": noon.Add(-30 * time.Second).Unix()}), ""},
		"the scheme in another case": {"bearer" + strings.TrimPrefix(ours(nil), "Bearer"), ""},
		"nothing":                    {"", Missing},
		"another scheme":             {"Basic " + strings.TrimPrefix(ours(nil), "Bearer "), Missing},
		"garbage":                    {"Bearer a.b.c", Malformed},
		"too long":                   {"Bearer " + strings.Repeat("a", maxToken+1), Malformed},
		"no algorithm":               {"Bearer " + signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, tokens.KeyID, nil), BadSignature},
		"HS256 with the public key":  {"Bearer " + signed(t, jwt.SigningMethodHS256, public, tokens.KeyID, nil), BadSignature},
		"another key's signature":    {"Bearer " + signed(t, jwt.SigningMethodRS256, other, tokens.KeyID, nil), BadSignature},
		"an unknown key":             {"Bearer " + signed(t, jwt.SigningMethodRS256, other, "deleted", nil), UnknownKey},
		"expired":                    {ours(jwt.MapClaims{"exp": noon.Add(-2 * time.Minute).Unix()}), Expired},
		"without an end":             {ours(jwt.MapClaims{"exp": nil}), Malformed},
		"not yet valid":              {ours(jwt.MapClaims{"nbf": noon.Add(2 * time.Minute).Unix()}), NotYetValid},
		"another issuer":             {ours(jwt.MapClaims{"iss": "https://login.example/" + tenant + "/v2.0"}), WrongIssuer},
		"another tenant's issuer":    {ours(jwt.MapClaims{"iss": base + "/another/v2.0"}), WrongIssuer},
		"another tenant":             {ours(jwt.MapClaims{"tid": "another"}), WrongIssuer},
		"another audience":           {ours(jwt.MapClaims{"aud": "https://storage.azure.com"}), WrongAudience},
		"no audience":                {ours(jwt.MapClaims{"aud": nil}), WrongAudience},
		"no principal":               {ours(jwt.MapClaims{"oid": nil, "sub": nil}), NoPrincipal},
	} {
		caller, err := newValidator(t).Validate(test.header, tenant, audience)
		refusal, _ := errors.AsType[*Refusal](err)
		if test.reason == "" {
			if err != nil || caller != (Caller{ObjectID: "principal", ClientID: "client"}) {
				t.Errorf("%s: got %+v, error %v", name, caller, err)
			}
		} else if refusal == nil || refusal.Reason != test.reason {
			t.Errorf("%s: got %v, want %s", name, err, test.reason)
		}
	}
}

func TestSubjectStandsForTheObjectID(t *testing.T) {
	t.Parallel()
	caller, err := newValidator(t).Validate("Bearer "+signed(t, jwt.SigningMethodRS256, tokens.Key(t), tokens.KeyID, jwt.MapClaims{"oid": nil}), tenant, audience)
	if err != nil || caller.ObjectID != "subject" {
		t.Errorf("got %+v, error %v", caller, err)
	}
}

// Whatever somebody sends, it is refused, and no part of it is in the error.
func FuzzValidate(f *testing.F) {
	validator := newValidator(f)
	f.Add("Bearer " + signed(f, jwt.SigningMethodRS256, tokens.Key(f), "unknown", nil))
	f.Add("Bearer a.b.c")
	f.Add("Bearer eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, header string) {
		_, err := validator.Validate(header, tenant, audience)
		refusal, ok := errors.AsType[*Refusal](err)
		if !ok || refusal.Reason == "" {
			t.Errorf("error = %v", err)
		}
	})
}
