package tokenendpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

const (
	trace       = "0a000000-0000-4000-8000-000000000001"
	correlation = "0b000000-0000-4000-8000-000000000002"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func callOf(correlation string) Call {
	request := httptest.NewRequest(http.MethodPost, "/directory/oauth2/v2.0/token", nil)
	request.Header.Set("client-request-id", correlation)
	return Call{Request: request, TraceID: trace, Now: noon}
}

func wantJSON(t *testing.T, recorder *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if recorder.Code != status {
		t.Errorf("status = %d, want %d", recorder.Code, status)
	}
	if diff := cmp.Diff(body, strings.TrimSpace(recorder.Body.String())); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	want := map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "application/json",
		"X-Ms-Request-Id": trace, "Client-Request-Id": correlation}
	for name, value := range want {
		if got := recorder.Header().Get(name); got != value {
			t.Errorf("header %s = %q, want %q", name, got, value)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	token := Token{AccessToken: "access", NotBefore: noon.Add(-5 * time.Minute), Expiry: noon.Add(time.Hour)}
	for version, want := range map[Version]string{
		V2: `{"token_type":"Bearer","expires_in":3600,"ext_expires_in":3600,"access_token":"access"}`,
		V1: `{"token_type":"Bearer","expires_in":"3600","ext_expires_in":"3600","expires_on":"1772370000","not_before":"1772366100",` +
			`"resource":"https://vault.azure.net","access_token":"access"}`,
	} {
		t.Run(strconv.Itoa(int(version)), func(t *testing.T) {
			t.Parallel()
			recorder := httptest.NewRecorder()
			asked := &Request{Resource: vault, version: version}
			callOf(correlation).Succeed(recorder, asked.Answer(token, noon))
			wantJSON(t, recorder, http.StatusOK, want)
		})
	}
}

func TestErrorIsEntras(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	callOf(correlation).Fail(recorder, missing("scope"))
	wantJSON(t, recorder, http.StatusBadRequest, `{"error":"invalid_request","error_description":"AADSTS900144: The request body must contain the `+
		`following parameter: 'scope'. Trace ID: `+trace+` Correlation ID: `+correlation+` Timestamp: 2026-03-01 12:00:00Z",`+
		`"error_codes":[900144],"timestamp":"2026-03-01 12:00:00Z","trace_id":"`+trace+`","correlation_id":"`+correlation+`",`+
		`"error_uri":"https://login.microsoftonline.com/error?code=900144"}`)
}

// What is no GUID is not repeated.
func TestCorrelationIDIsAGUID(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	callOf("eyJhbGciOi").Fail(recorder, missing("scope"))
	if strings.Contains(recorder.Body.String(), "eyJ") || recorder.Header().Get("client-request-id") == "eyJhbGciOi" {
		t.Errorf("answer is %v %s", recorder.Header(), recorder.Body)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	orders := build.NewIdentity("orders").ManagedIdentity
	for name, test := range map[string]struct {
		err        error
		code       int
		oauth      string
		status     int
		retryAfter string
	}{
		"throttled":              {failure.TooMany(3 * time.Second), 90055, "temporarily_unavailable", 429, "3"},
		"away":                   {failure.NotNow("the signer is away"), 90033, "temporarily_unavailable", 503, "2"},
		"any other error":        {errors.New("connection refused"), 90033, "temporarily_unavailable", 503, "2"},
		"identity not ready":     {failure.Refused(&grant.Refusal{Reason: grant.ReasonNotReady}), 90033, "temporarily_unavailable", 503, "2"},
		"pod is not served":      {failure.Denied(failure.ReasonOtherAddress, "from 10.0.0.8"), 70021, "invalid_client", 401, ""},
		"signer refuses":         {failure.Unauthorized("detail"), 70021, "invalid_client", 401, ""},
		"identity not granted":   {failure.Refused(&grant.Refusal{Reason: grant.ReasonNotGranted}), 700016, "unauthorized_client", 400, ""},
		"resource not allowed":   {failure.ResourceNotAllowed(orders, vault), 500011, "invalid_resource", 400, ""},
		"resource is none":       {failure.BadRequest("the resource is longer than 512 bytes"), 70011, "invalid_scope", 400, ""},
		"another tenant":         {OtherTenant(), 90002, "invalid_request", 400, ""},
		"tokens of Entra ID":     {OtherSource(), 700016, "unauthorized_client", 400, ""},
		"malformed":              {malformed(), 9002313, "invalid_request", 400, ""},
		"no field":               {missing("scope"), 900144, "invalid_request", 400, ""},
		"grant type":             {refuse(codeGrantType, ""), 70003, "unsupported_grant_type", 400, ""},
		"secret":                 {refuse(codeNoAssertion, ""), 7000218, "invalid_client", 401, ""},
		"scope":                  {badScope(""), 70011, "invalid_scope", 400, ""},
		"resources":              {refuse(codeManyResources, ""), 700022, "invalid_scope", 400, ""},
		"assertion is garbage":   {BadAssertion(jwt.ErrTokenMalformed), 50027, "invalid_request", 400, ""},
		"another issuer":         {BadAssertion(jwt.ErrTokenInvalidIssuer), 700211, "invalid_client", 401, ""},
		"another audience":       {BadAssertion(jwt.ErrTokenInvalidAudience), 700212, "invalid_client", 401, ""},
		"unknown key":            {BadAssertion(jwt.ErrTokenUnverifiable), 7000272, "invalid_client", 401, ""},
		"wrong signature":        {BadAssertion(jwt.ErrTokenSignatureInvalid), 700027, "invalid_client", 401, ""},
		"expired":                {BadAssertion(jwt.ErrTokenExpired), 700024, "invalid_client", 401, ""},
		"not valid yet":          {BadAssertion(jwt.ErrTokenNotValidYet), 700024, "invalid_client", 401, ""},
		"not bound to a pod":     {BadAssertion(errors.New("not bound")), 70021, "invalid_client", 401, ""},
		"audience before expiry": {BadAssertion(errors.Join(jwt.ErrTokenExpired, jwt.ErrTokenInvalidAudience)), 700212, "invalid_client", 401, ""},
		"issuer before audience": {BadAssertion(errors.Join(jwt.ErrTokenInvalidAudience, jwt.ErrTokenInvalidIssuer)), 700211, "invalid_client", 401, ""},
		"a wrapped refusal":      {fmt.Errorf("wrapped: %w", OtherTenant()), 90002, "invalid_request", 400, ""},
		"a wrapped failure":      {fmt.Errorf("wrapped: %w", failure.TooMany(time.Second)), 90055, "temporarily_unavailable", 429, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := httptest.NewRecorder()
			callOf(correlation).Fail(recorder, test.err)
			var body errorBody
			if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]int{test.code}, body.Codes); diff != "" || body.Error != test.oauth || recorder.Code != test.status ||
				recorder.Header().Get("Retry-After") != test.retryAfter {
				t.Errorf("%d, Retry-After %q: %s", recorder.Code, recorder.Header().Get("Retry-After"), recorder.Body)
			}
			if !strings.HasPrefix(body.Description, fmt.Sprintf("AADSTS%d: ", test.code)) || strings.Count(body.Description, "AADSTS") != 1 {
				t.Errorf("description = %q", body.Description)
			}
		})
	}
}

// An application learns that its pod is not served, and the audit log why.
func TestDescriptionIsNotTheDetail(t *testing.T) {
	t.Parallel()
	for _, err := range []error{failure.Denied(failure.ReasonOtherNode, "secret detail"), BadAssertion(errors.New("secret detail"))} {
		recorder := httptest.NewRecorder()
		callOf(correlation).Fail(recorder, err)
		if strings.Contains(recorder.Body.String(), "secret detail") || failure.Of(err).Detail != "secret detail" {
			t.Errorf("answer %s to %+v", recorder.Body, failure.Of(err))
		}
	}
}

func TestOthersAreAnsweredInJSON(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	HandleOthers(mux, func() time.Time { return noon })
	for path, want := range map[string]struct {
		status int
		code   int
		allow  string
	}{
		"/directory/oauth2/v2.0/token":      {http.StatusMethodNotAllowed, 900561, "POST"},
		"/directory/oauth2/token":           {http.StatusMethodNotAllowed, 900561, "POST"},
		"/directory/oauth2/v2.0/devicecode": {http.StatusNotFound, 9002313, ""},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			recorder := httptest.NewRecorder()
			mux.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
			var body errorBody
			if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			if recorder.Code != want.status || !cmp.Equal(body.Codes, []int{want.code}) || recorder.Header().Get("Allow") != want.allow {
				t.Errorf("%d, Allow %q: %s", recorder.Code, recorder.Header().Get("Allow"), recorder.Body)
			}
		})
	}
}
