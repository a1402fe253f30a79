package entra

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 700_000_000, time.UTC)

// expiryAfter returns when a token that is asked for now expires.
func expiryAfter(seconds int) time.Time { return time.Date(2026, 11, 27, 12, 0, seconds, 0, time.UTC) }

const secret = "the-assertion"

// exchange exchanges an assertion with a server that answers as given, and returns the form that it got.
func exchange(t *testing.T, answer http.HandlerFunc) (*Token, url.Values, error) {
	t.Helper()
	var form url.Values
	server := httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if err := request.ParseForm(); err != nil {
			t.Error(err)
		}
		form = request.PostForm
		form.Set("path", request.URL.Path)
		answer(writer, request)
	}))
	defer server.Close()
	client := &Client{HTTP: NewHTTPClient(server.Client().Transport), Now: func() time.Time { return now }}
	token, err := client.Exchange(t.Context(), Request{
		Authority: server.URL, TenantID: "tenant", ClientID: "client", Resource: "https://vault.azure.net", Assertion: secret,
	})
	return token, form, err
}

func answering(status int, body string) http.HandlerFunc {
	return func(writer http.ResponseWriter, _ *http.Request) {
		writer.WriteHeader(status)
		fmt.Fprint(writer, body)
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	token, form, err := exchange(t, answering(http.StatusOK,
		`{"token_type":"Bearer","expires_in":86399,"ext_expires_in":86399,"refresh_in":43199,"access_token":"a.b.c"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Token{AccessToken: "a.b.c", Issued: now, Expiry: expiryAfter(86399), RefreshAt: now.Add(43199 * time.Second)}
	if *token != want {
		t.Errorf("got %+v, want %+v", *token, want)
	}
	for name, want := range map[string]string{
		"path": "/tenant/oauth2/v2.0/token", "client_id": "client", "scope": "https://vault.azure.net/.default",
		"grant_type": "client_credentials", "client_assertion": secret,
		"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	} {
		if got := form.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestAnswersThatAreNoTokenAreRefused(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"not JSON":          `<html>`,
		"no token":          `{"token_type":"Bearer","expires_in":3600}`,
		"not a bearer":      `{"token_type":"pop","expires_in":3600,"access_token":"a.b.c"}`,
		"no validity":       `{"token_type":"Bearer","access_token":"a.b.c"}`,
		"valid for years":   `{"token_type":"Bearer","expires_in":99999999,"access_token":"a.b.c"}`,
		"negative validity": `{"token_type":"Bearer","expires_in":-1,"access_token":"a.b.c"}`,
		"overflow":          `{"token_type":"Bearer","expires_in":9223372036854775807,"access_token":"a.b.c"}`,
	} {
		if token, _, err := exchange(t, answering(http.StatusOK, body)); err == nil || strings.Contains(err.Error(), "a.b.c") {
			t.Errorf("%s: got %+v, %v", name, token, err)
		}
	}
}

func TestSecondsMayBeAString(t *testing.T) {
	t.Parallel()
	token, _, err := exchange(t, answering(http.StatusOK, `{"token_type":"Bearer","expires_in":"3600","access_token":"a.b.c"}`))
	if err != nil || !token.Expiry.Equal(expiryAfter(3600)) || !token.RefreshAt.IsZero() {
		t.Errorf("got %+v, %v", token, err)
	}
}

func TestRefreshAfterExpiryIsIgnored(t *testing.T) {
	t.Parallel()
	token, _, err := exchange(t, answering(http.StatusOK, `{"token_type":"Bearer","expires_in":3600,"refresh_in":3600,"access_token":"a.b.c"}`))
	if err != nil || !token.RefreshAt.IsZero() {
		t.Errorf("got %+v, %v", token, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	body := `{"error":"invalid_client","error_description":"AADSTS%d: ` + secret + `","error_codes":[%d],"trace_id":"trace","correlation_id":"corr"}`
	for _, test := range []struct {
		status, code int
		cause        Cause
		temporary    bool
		throttled    bool
	}{
		{http.StatusUnauthorized, 700213, CauseCredential, false, false},
		{http.StatusUnauthorized, 70025, CauseCredential, false, false},
		{http.StatusUnauthorized, 7000272, CausePublication, false, false},
		{http.StatusBadRequest, 50166, CausePublication, false, false},
		{http.StatusUnauthorized, 700024, CauseClock, false, false},
		{http.StatusBadRequest, 700016, CauseIdentity, false, false},
		{http.StatusBadRequest, 500011, CauseResource, false, false},
		{http.StatusBadRequest, 53003, CausePolicy, false, false},
		{http.StatusBadRequest, 50196, CauseLoad, true, true},
		{http.StatusBadRequest, 90033, CauseLoad, true, false},
		{http.StatusTooManyRequests, 0, CauseUnknown, true, true},
		{http.StatusBadGateway, 0, CauseUnknown, true, false},
		{http.StatusBadRequest, 123456, CauseUnknown, false, false},
	} {
		_, _, err := exchange(t, answering(test.status, fmt.Sprintf(body, test.code, test.code)))
		got, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("%d: got %v", test.code, err)
			continue
		}
		if got.Code != test.code || got.Cause() != test.cause || got.Temporary() != test.temporary || got.Throttled() != test.throttled ||
			got.TraceID != "trace" || got.OAuth != "invalid_client" {
			t.Errorf("%d: got %+v, cause %d, temporary %t, throttled %t", test.code, got, got.Cause(), got.Temporary(), got.Throttled())
		}
		if strings.Contains(got.Error(), secret) {
			t.Errorf("%d: the error quotes the answer: %v", test.code, got)
		}
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "999999999999": time.Hour, "-1": 0, "soon": 0, "": 0,
	} {
		_, _, err := exchange(t, func(writer http.ResponseWriter, _ *http.Request) {
			writer.Header().Set("Retry-After", header)
			writer.WriteHeader(http.StatusTooManyRequests)
		})
		if got, ok := errors.AsType[*Error](err); !ok || got.RetryAfter != want {
			t.Errorf("Retry-After %q: got %v, want %s", header, err, want)
		}
	}
}

func TestErrorsHoldNothingThatBreaksALine(t *testing.T) {
	t.Parallel()
	_, _, err := exchange(t, answering(http.StatusBadRequest,
		`{"error":"`+strings.Repeat("e", 1000)+`","trace_id":"a\nb\u001b[0m c","error_codes":[700213]}`))
	got, ok := errors.AsType[*Error](err)
	if !ok || got.TraceID != "ab[0mc" || len(got.OAuth) != maxOAuth {
		t.Errorf("got %+v", got)
	}
}

func TestAssertionsAreNotRedirected(t *testing.T) {
	t.Parallel()
	asked := 0
	_, _, err := exchange(t, func(writer http.ResponseWriter, request *http.Request) {
		asked++
		http.Redirect(writer, request, "/elsewhere", http.StatusTemporaryRedirect)
	})
	if !errors.Is(err, errRedirect) || asked != 1 {
		t.Errorf("got %v after %d requests", err, asked)
	}
}

func TestCloud(t *testing.T) {
	t.Parallel()
	identity := &v1alpha1.ManagedIdentity{}
	if a, b := AuthorityFor(identity, "AzureChinaCloud"), AudienceFor(identity, "AzureChinaCloud"); a != "https://login.partner.microsoftonline.cn" || b != "api://AzureADTokenExchangeChina" {
		t.Errorf("China: %s, %s", a, b)
	}
	if a := AuthorityFor(identity, "AzureGermanCloud"); a != "https://login.microsoftonline.com" {
		t.Errorf("an unknown cloud: %s", a)
	}
	identity.Spec.Entra = &v1alpha1.EntraSettings{Authority: "https://own.example", Audience: "own"}
	if a, b := AuthorityFor(identity, "AzurePublicCloud"), AudienceFor(identity, "AzurePublicCloud"); a != "https://own.example" || b != "own" {
		t.Errorf("own: %s, %s", a, b)
	}
}
