package tokenendpoint

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const vault = "https://vault.azure.net"

// formOf returns the form that Python sends, with some changes; an empty value removes a field.
func formOf(changes ...string) url.Values {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"client"}, "scope": {vault + "/.default"},
		"client_assertion_type": {jwtBearer}, "client_assertion": {"assertion"},
	}
	for n := 0; n < len(changes); n += 2 {
		form.Set(changes[n], changes[n+1])
		if changes[n+1] == "" {
			form.Del(changes[n])
		}
	}
	return form
}

func read(version Version, body string) (*Request, error) {
	request := httptest.NewRequest(http.MethodPost, "/directory/oauth2/token", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetPathValue(tenant, "directory")
	return Read(request, version)
}

func TestRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		version  Version
		form     url.Values
		resource string
	}{
		"Python":              {V2, formOf(), vault},
		"with other scopes":   {V2, formOf("scope", "openid offline_access profile "+vault+"/.default"), vault},
		"the same twice":      {V2, formOf("scope", vault+"/.default "+vault+"/.default"), vault},
		"trailing slash":      {V2, formOf("scope", vault+"//.default"), vault + "/"},
		"a GUID":              {V2, formOf("scope", "cfa8b339-82a2-471a-a3c9-0fc0be7a4093/.default"), "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"},
		"what others send":    {V2, formOf("client_info", "1", "claims", "{", "x-client-SKU", "MSAL.Go"), vault},
		"resource is ignored": {V2, formOf("resource", "other"), vault},
		"version 1":           {V1, formOf("scope", "", "resource", vault+"/"), vault + "/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := read(test.version, test.form.Encode())
			if err != nil {
				t.Fatal(err)
			}
			want := &Request{TenantID: "directory", ClientID: "client", Resource: test.resource, Assertion: "assertion"}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Request{})); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		version Version
		body    string
		code    int
		says    string
	}{
		"empty":                  {V2, "", 900144, "grant_type"},
		"not a form":             {V2, "%", 9002313, ""},
		"too large":              {V2, formOf("claims", strings.Repeat("a", 16<<10)).Encode(), 9002313, ""},
		"no client":              {V2, formOf("client_id", "").Encode(), 900144, "client_id"},
		"empty client":           {V2, formOf("client_id", "").Encode() + "&client_id=", 900144, "client_id"},
		"two clients":            {V2, formOf().Encode() + "&client_id=other", 9002313, ""},
		"two assertions":         {V2, formOf().Encode() + "&client_assertion=other", 9002313, ""},
		"a password":             {V2, formOf("grant_type", "password").Encode(), 70003, "client_credentials"},
		"a secret":               {V2, formOf("client_assertion", "", "client_secret", "secret").Encode(), 7000218, "Secrets"},
		"no type of assertion":   {V2, formOf("client_assertion_type", "").Encode(), 900144, "client_assertion_type"},
		"SAML":                   {V2, formOf("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer").Encode(), 9002313, ""},
		"no scope":               {V2, formOf("scope", "").Encode(), 900144, "scope"},
		"blank scope":            {V2, formOf("scope", "  ").Encode(), 900144, "scope"},
		"no default scope":       {V2, formOf("scope", vault+"/user_impersonation").Encode(), 70011, "/.default"},
		"nothing but the ending": {V2, formOf("scope", "/.default").Encode(), 70011, "/.default"},
		"scopes of no resource":  {V2, formOf("scope", "openid profile").Encode(), 70011, "no resource"},
		"two resources":          {V2, formOf("scope", vault+"/.default other/.default").Encode(), 700022, "more than one"},
		"a scope in version 1":   {V1, formOf().Encode(), 900144, "resource"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(test.version, test.body)
			refused, found := errors.AsType[*Refusal](err)
			if !found || refused.Code != test.code || !strings.Contains(refused.Description, test.says) {
				t.Errorf("refused with %v, want AADSTS%d with %q", err, test.code, test.says)
			}
		})
	}
}

func TestParametersOfTheQueryAreIgnored(t *testing.T) {
	t.Parallel()
	request := httptest.NewRequest(http.MethodPost, "/directory/oauth2/v2.0/token?"+formOf().Encode(), nil)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if _, err := Read(request, V2); err == nil {
		t.Error("an assertion in the URL is accepted")
	}
}

// endless is a body that never ends, and counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(into []byte) (int, error) {
	for n := range into {
		into[n] = 'a'
	}
	e.read += len(into)
	return len(into), nil
}

func TestFormIsReadUpToABound(t *testing.T) {
	t.Parallel()
	body := &endless{}
	request := httptest.NewRequest(http.MethodPost, "/directory/oauth2/v2.0/token", io.NopCloser(body))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if _, err := Read(request, V2); err == nil || body.read > 64<<10 {
		t.Errorf("%d bytes are read, error %v", body.read, err)
	}
}
