package issuerclient

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

var request = imds.TokenRequest{Resource: "https://vault.azure.net", Selector: imds.Selector{ClientID: "c"}}

func TestTokenRequest(t *testing.T) {
	t.Parallel()
	var asked string
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization") + " " + string(body)
		io.WriteString(w, `{"access_token":"a.b.c","client_id":"c","not_before":1709809297,"expires_on":1709895997}`)
	}).client(t)
	got, err := client.Token(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	want := &imds.Token{AccessToken: "a.b.c", ClientID: "c", NotBefore: time.Unix(1709809297, 0), ExpiresOn: time.Unix(1709895997, 0)}
	if difference := cmp.Diff(want, got); difference != "" {
		t.Error("(-want +got):\n" + difference)
	}
	if want := `POST /v1/token Bearer first {"resource":"https://vault.azure.net","client_id":"c"}`; asked != want {
		t.Errorf("request = %s", asked)
	}
}

func TestTokenRequestBypassesTheCache(t *testing.T) {
	t.Parallel()
	var asked string
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = string(body)
		io.WriteString(w, `{"access_token":"a.b.c"}`)
	}).client(t)
	if _, err := client.Token(t.Context(), imds.TokenRequest{Resource: "r", BypassCache: true}); err != nil {
		t.Fatal(err)
	}
	if want := `{"resource":"r","bypass_cache":true}`; asked != want {
		t.Errorf("request = %s", asked)
	}
}

func TestServiceAccountTokenIsReadForEveryRequest(t *testing.T) {
	t.Parallel()
	var shown []string
	issuer := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		shown = append(shown, r.Header.Get("Authorization"))
		io.WriteString(w, `{"name":"n"}`)
	})
	client := issuer.client(t)
	for _, token := range []string{"one", "two"} {
		writeFile(t, issuer.tokenFile, token)
		if _, err := client.Instance(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if difference := cmp.Diff([]string{"Bearer one", "Bearer two"}, shown); difference != "" {
		t.Error("(-want +got):\n" + difference)
	}
}

func TestErrorResponses(t *testing.T) {
	t.Parallel()
	const body = `{"error":"some_code","error_description":"Some text"}`
	refusal := func(status int, code, description string) *imds.Error {
		return &imds.Error{Status: status, Code: code, Description: description, RetryAfter: 7 * time.Second}
	}
	for name, test := range map[string]struct {
		status           int
		body             string
		want             *imds.Error // nil: nothing that an application should see
		notAuthenticated bool
	}{
		"400":                {400, body, refusal(400, "some_code", "Some text"), false},
		"429":                {429, body, refusal(429, "some_code", "Some text"), false},
		"503":                {503, body, refusal(503, "some_code", "Some text"), false},
		"401":                {401, body, refusal(400, "unauthorized_client", "Some text"), true},
		"403":                {403, body, refusal(400, "unauthorized_client", "Some text"), true},
		"400 without reason": {400, `<html>`, refusal(400, "invalid_request", "The issuer gave no reason"), false},
		"404":                {404, body, nil, false},
		"500":                {500, body, nil, false},
		"not JSON":           {200, `<html>`, nil, false},
		"no token":           {200, `{}`, nil, false},
		"too long":           {200, `{"access_token":"` + strings.Repeat("a", issuerapi.MaxAnswerBytes) + `"}`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newIssuer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			}).client(t)
			_, err := client.Token(t.Context(), request)
			if err == nil {
				t.Fatal("got no error")
			}
			var got *imds.Error
			errors.As(err, &got)
			if difference := cmp.Diff(test.want, got, cmp.AllowUnexported(imds.Error{})); difference != "" {
				t.Error("(-want +got):\n" + difference)
			}
			if errors.Is(err, ErrNotAuthenticated) != test.notAuthenticated {
				t.Errorf("got error %v", err)
			}
		})
	}
}

// Failures of the connection are not refusals: the application may retry, and the error has no token.
func TestConnectionFailures(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(*testing.T, *issuer, *Options){
		"another authority": func(t *testing.T, _ *issuer, o *Options) { o.CA = otherAuthority(t) },
		"another name":      func(_ *testing.T, _ *issuer, o *Options) { o.URL = strings.Replace(o.URL, "127.0.0.1", "localhost", 1) },
		"no token file":     func(_ *testing.T, _ *issuer, o *Options) { o.TokenFile += "-is-missing" },
		"long token":        func(t *testing.T, i *issuer, _ *Options) { writeFile(t, i.tokenFile, strings.Repeat("secret", 4<<10)) },
		"not listening":     func(_ *testing.T, i *issuer, _ *Options) { i.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := newIssuer(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"access_token":"a.b.c"}`) })
			options := issuer.options()
			breakIt(t, issuer, &options)
			client, err := New(options)
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Token(t.Context(), request)
			if refusal := (*imds.Error)(nil); err == nil || errors.As(err, &refusal) {
				t.Fatalf("got error %v", err)
			}
			if strings.Contains(err.Error(), "first") || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error contains the token: %v", err)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := newIssuer(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect is followed") })
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}).client(t)
	if token, err := client.Token(t.Context(), request); err == nil {
		t.Errorf("redirect: got %v", token)
	}
}

func TestProxiesAreNotUsed(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy is used") }))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	client := newIssuer(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{}`) }).client(t)
	// The standard proxy function ignores loopback addresses, so a request would not show whether it is used.
	if client.connections().http.Transport.(*http.Transport).Proxy != nil {
		t.Error("a proxy may be used")
	}
	if _, err := client.Instance(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		seen[r.RemoteAddr] = true
		io.WriteString(w, `{"access_token":"a.b.c"}`)
	}).client(t)
	for range 5 {
		if _, err := client.Token(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 1 {
		t.Errorf("%d connections were made", len(seen))
	}
}

// A connection that the issuer closes during a request does not fail the application.
func TestRequestIsRetriedAfterAClosedConnection(t *testing.T) {
	t.Parallel()
	tokens := 0
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/token" {
			if tokens++; tokens == 1 {
				panic(http.ErrAbortHandler)
			}
		}
		io.WriteString(w, `{"access_token":"a.b.c"}`)
	}).client(t)
	if _, err := client.Instance(t.Context()); err != nil { // makes the connection
		t.Fatal(err)
	}
	if _, err := client.Token(t.Context(), request); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	valid := newIssuer(t, nil).options()
	for name, test := range map[string]struct {
		change func(*Options)
		why    string
	}{
		"no URL":        {func(o *Options) { o.URL = "" }, "https"},
		"plain HTTP":    {func(o *Options) { o.URL = "http://a" }, "https"},
		"no host":       {func(o *Options) { o.URL = "https://" }, "https"},
		"invalid URL":   {func(o *Options) { o.URL = "https://%zz" }, "URL"},
		"no authority":  {func(o *Options) { o.CA = "" }, "PEM"},
		"no token file": {func(o *Options) { o.TokenFile = "" }, "file"},
	} {
		options := valid
		test.change(&options)
		if _, err := New(options); err == nil || !strings.Contains(err.Error(), test.why) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}
