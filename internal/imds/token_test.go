package imds

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTokenAnswer(t *testing.T) {
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
		t.Errorf("x-ms-request-id is %q", id)
	}
	got.header.Del("X-Ms-Request-Id")
	if difference := cmp.Diff(want, got.header); difference != "" {
		t.Error("headers (-want +got):\n" + difference)
	}
}

func TestTokenAnswerFollowsTheClockAndTheToken(t *testing.T) {
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
		"at first":              {first, `"expires_in":"86317"`},
		"a second later":        {second, `"expires_in":"86316"`},
		"after renewal":         {third, `"access_token":"a.b.c"`},
		"of another resource":   {get(t, handler, tokenPath+"?api-version=2018-02-01&resource=b"), `"resource":"b"`},
		"of an expired token":   {expired(t), `"expires_in":"0"`},
		"of a token from today": {justIssued(t), `"ext_expires_in":"0"`},
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

func TestTokenQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	endpoint := newTokenEndpoint(newIMDS().tokens, time.Now)
	for i := range 3 * maxTokenQuestions {
		if _, refusal := endpoint.question(fmt.Sprintf("api-version=2018-02-01&resource=r&n=%d", i)); refusal != nil {
			t.Fatal(refusal)
		}
		if _, refusal := endpoint.question(fmt.Sprintf("resource=r&n=%d", i)); refusal == nil {
			t.Fatal("a request without a version is answered")
		}
	}
	if n := len(endpoint.questions); n > maxTokenQuestions {
		t.Errorf("%d questions are remembered", n)
	}
}

func TestManyAskAtOnce(t *testing.T) {
	t.Parallel()
	handler := newIMDS().build()
	var asking sync.WaitGroup
	for i := range 8 {
		asking.Go(func() {
			for j := range 200 {
				target := fmt.Sprintf("%s?api-version=2018-02-01&resource=r%d", tokenPath, (i+j)%maxTokenQuestions)
				if got := get(t, handler, target); got.status != http.StatusOK {
					t.Errorf("%s: %d %s", target, got.status, got.body)
				}
			}
		})
	}
	asking.Wait()
}
