package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestTokenRequest(t *testing.T) {
	t.Parallel()
	jwt := unsigned(`{"aud":"https://vault.azure.net","oid":"the principal"}`)
	var asked *http.Request
	imds := newIMDS(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r
		fmt.Fprintf(w, `{"access_token":%q}`, jwt)
	})
	var output bytes.Buffer
	if err := token(t.Context(), []string{"--address", imds}, &output); err != nil {
		t.Fatal(err)
	}
	if asked.URL.Path != "/metadata/identity/oauth2/token" || asked.Header.Get("Metadata") != "true" {
		t.Errorf("requested %s with Metadata %q", asked.URL, asked.Header.Get("Metadata"))
	}
	if got := asked.URL.Query().Get("resource"); got != "https://vault.azure.net" {
		t.Error("asked for", got)
	}
	if !strings.Contains(output.String(), `"oid": "the principal"`) {
		t.Error("claims are not printed:", output.String())
	}
	if strings.Contains(output.String(), jwt) {
		t.Error("the token is printed")
	}
}

func TestInvalidResponses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"error":                {http.StatusBadRequest, `{"error":"invalid_request"}`, "400 Bad Request: {\"error\":\"invalid_request\"}"},
		"not JSON":             {http.StatusOK, `hello`, "not in JSON"},
		"not a JWT":            {http.StatusOK, `{"access_token":"opaque"}`, "not a JWT"},
		"claims not base64url": {http.StatusOK, `{"access_token":"a.!.c"}`, "not in base64url"},
		"claims not JSON":      {http.StatusOK, `{"access_token":"` + unsigned("claims") + `"}`, "not in JSON"},
		"for another resource": {http.StatusOK, `{"access_token":"` + unsigned(`{"aud":"https://other"}`) + `"}`, `for "https://other"`},
		"no token":             {http.StatusOK, `{}`, "not a JWT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			imds := newIMDS(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			var output bytes.Buffer
			err := token(t.Context(), []string{"--address", imds}, &output)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if output.Len() != 0 {
				t.Error("printed", output.String())
			}
		})
	}
}

// newIMDS serves a handler on loopback and returns its address.
func newIMDS(t *testing.T, handler http.HandlerFunc) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	parsed, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Host
}

func unsigned(claims string) string {
	return "header." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".signature"
}
