package imds

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTokenResponse(t *testing.T) {
	t.Parallel()
	got := get(t, newIMDS().build(), tokenTarget(""))
	got.want(t, http.StatusOK, `{"access_token":"eyJ0eXAi.eyJ0aWQi.c2ln","client_id":"11111111-2222-3333-4444-555555555555",`+
		`"expires_in":"86317","expires_on":"1709895997","ext_expires_in":"86399","not_before":"1709809297",`+
		`"resource":"https://vault.azure.net","token_type":"Bearer"}`)
	want := http.Header{
		"Server":         {"IMDS/150.870.65.1854"},
		"Cache-Control":  {"no-store"},
		"Content-Type":   {"application/json; charset=utf-8"},
		"Content-Length": {fmt.Sprint(len(got.body))},
	}
	if id := got.header.Get("X-Ms-Request-Id"); !guid.MatchString(id) {
		t.Errorf("x-ms-request-id = %q", id)
	}
	got.header.Del("X-Ms-Request-Id")
	if difference := cmp.Diff(want, got.header); difference != "" {
		t.Error("headers (-want +got):\n" + difference)
	}
}

func TestTokenResponseFollowsClockAndToken(t *testing.T) {
	t.Parallel()
	imds := newIMDS()
	now, token := recordedNow, recordedToken
	imds.tokensFrom(func(TokenRequest) (*Token, error) { return token, nil })
	handler := NewHandler(imds.sources(), func() time.Time { return now })
	first := get(t, handler, tokenTarget(""))
	now = now.Add(time.Second)
	second := get(t, handler, tokenTarget(""))
	renewed := *recordedToken
	renewed.AccessToken = "a.b.c"
	token = &renewed
	third := get(t, handler, tokenTarget(""))

	for name, got := range map[string]struct {
		answer
		contains string
	}{
		"at first":          {first, `"expires_in":"86317"`},
		"a second later":    {second, `"expires_in":"86316"`},
		"after renewal":     {third, `"access_token":"a.b.c"`},
		"another resource":  {get(t, handler, tokenPath+"?api-version=2018-02-01&resource=b"), `"resource":"b"`},
		"expired token":     {expired(t), `"expires_in":"0"`},
		"just issued token": {justIssued(t), `"ext_expires_in":"0"`},
	} {
		if !contains(got.body, got.contains) {
			t.Errorf("%s: %s does not contain %s", name, got.body, got.contains)
		}
	}
}

func expired(t *testing.T) answer {
	late := newIMDS()
	late.now = recordedToken.ExpiresOn.Add(time.Hour)
	return get(t, late.build(), tokenTarget(""))
}

func justIssued(t *testing.T) answer {
	brief := *recordedToken
	brief.NotBefore = brief.ExpiresOn.Add(-time.Minute)
	return get(t, newIMDS().tokensFrom(func(TokenRequest) (*Token, error) { return &brief, nil }).build(), tokenTarget(""))
}

func TestRememberedQueriesAreBounded(t *testing.T) {
	t.Parallel()
	endpoint := newTokenEndpoint(newIMDS().tokens, time.Now)
	for i := range 3 * maxTokenQueries {
		if _, refusal := endpoint.parse(fmt.Sprintf("api-version=2018-02-01&resource=r&n=%d", i)); refusal != nil {
			t.Fatal(refusal)
		}
		if _, refusal := endpoint.parse(fmt.Sprintf("resource=r&n=%d", i)); refusal == nil {
			t.Fatal("a request without a version is answered")
		}
	}
	if n := len(endpoint.queries); n > maxTokenQueries {
		t.Errorf("%d queries are remembered", n)
	}
}

func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	handler := newIMDS().build()
	var asking sync.WaitGroup
	for i := range 8 {
		asking.Go(func() {
			for j := range 200 {
				target := fmt.Sprintf("%s?api-version=2018-02-01&resource=r%d", tokenPath, (i+j)%maxTokenQueries)
				if got := get(t, handler, target); got.status != http.StatusOK {
					t.Errorf("%s: %d %s", target, got.status, got.body)
				}
			}
		})
	}
	asking.Wait()
}

const version1 = "api-version=2018-02-01"

func TestParseTokenRequest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query string
		want  TokenRequest
	}{
		"default identity":      {version1 + "&resource=r", TokenRequest{Resource: "r"}},
		"client_id":             {version1 + "&resource=r&client_id=c", TokenRequest{Resource: "r", Selector: Selector{ClientID: "c"}}},
		"object_id":             {version1 + "&resource=r&object_id=o", TokenRequest{Resource: "r", Selector: Selector{ObjectID: "o"}}},
		"principal_id":          {version1 + "&resource=r&principal_id=o", TokenRequest{Resource: "r", Selector: Selector{ObjectID: "o"}}},
		"msi_res_id":            {version1 + "&resource=r&msi_res_id=/a/b", TokenRequest{Resource: "r", Selector: Selector{ResourceID: "/a/b"}}},
		"mi_res_id":             {version1 + "&resource=r&mi_res_id=%2Fa%2fb", TokenRequest{Resource: "r", Selector: Selector{ResourceID: "/a/b"}}},
		"resource_id":           {version1 + "&resource=r&resource_id=/a/b", TokenRequest{Resource: "r", Selector: Selector{ResourceID: "/a/b"}}},
		"msi-res-id":            {version1 + "&resource=r&msi-res-id=/a/b", TokenRequest{Resource: "r", Selector: Selector{ResourceID: "/a/b"}}},
		"trailing slash":        {version1 + "&resource=https://storage.azure.com/", TokenRequest{Resource: "https://storage.azure.com/"}},
		"escaped":               {version1 + "&resource=https%3A%2F%2Fa.b%2f", TokenRequest{Resource: "https://a.b/"}},
		"two slashes":           {version1 + "&resource=https://a.b//c", TokenRequest{Resource: "https://a.b//c"}},
		"GUID":                  {version1 + "&resource=api%3A%2F%2F00000000-0000-0000-0000-000000000000", TokenRequest{Resource: "api://00000000-0000-0000-0000-000000000000"}},
		"another order":         {"client_id=c&resource=r&" + version1, TokenRequest{Resource: "r", Selector: Selector{ClientID: "c"}}},
		"names in another case": {"API-Version=2018-02-01&Resource=R&Client_ID=C", TokenRequest{Resource: "R", Selector: Selector{ClientID: "C"}}},
		"unknown parameters":    {version1 + "&resource=r&authority=x&n=", TokenRequest{Resource: "r"}},
		"bypass cache":          {version1 + "&resource=r&bypass_cache=true", TokenRequest{Resource: "r", BypassCache: true}},
		"do not bypass cache":   {version1 + "&resource=r&bypass_cache=False", TokenRequest{Resource: "r"}},
		"later version":         {"api-version=2025-04-07&resource=r", TokenRequest{Resource: "r"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, refusal := parseTokenRequest(test.query)
			if refusal != nil {
				t.Fatal(refusal)
			}
			if difference := cmp.Diff(test.want, got); difference != "" {
				t.Error("(-want +got):\n" + difference)
			}
		})
	}
}

func contains(text, part string) bool { return strings.Contains(text, part) }

func TestQueriesWithManyParameters(t *testing.T) {
	t.Parallel()
	// api-version and resource are two of them.
	for more, want := range map[int]int{62: 200, 63: 400} {
		target := tokenTarget("")
		for i := range more {
			target += fmt.Sprintf("&x%d=", i)
		}
		if got := get(t, newIMDS().build(), target); got.status != want {
			t.Errorf("%d more parameters: got %d %s", more, got.status, got.body)
		}
	}
}
