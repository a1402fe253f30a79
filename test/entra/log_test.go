package entra

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ask(t)
	w.ask(t)
	w.ask(t, with("scope", storage+"/.default"))
	w.ask(t, claiming("sub", "other"))
	w.ask(t, with("client_id", bills))
	w.Fail(Fault{Times: 1, Status: 503})
	w.ask(t)
	want := Stats{
		Exchanges: []Count{
			{Exchange{orders, storage}, 1, 1, map[int]int{}},
			{Exchange{orders, vault}, 4, 2, map[int]int{700213: 1, 0: 1}},
			{Exchange{bills, vault}, 1, 0, map[int]int{700016: 1}},
		},
		MaxInFlight: 1, Reads: 3,
	}
	if diff := cmp.Diff(want, w.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	for exchange, want := range map[Exchange]int{{orders, vault}: 4, {bills, vault}: 1, {bills, storage}: 0} {
		if asked := w.Asked(exchange); asked != want {
			t.Errorf("%v: asked %d times, want %d", exchange, asked, want)
		}
	}
}

func TestRequestsAreRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const (
		claims      = `{"access_token":{"xms_cc":{"values":["CP1"]}}}`
		correlation = "8f043819-8577-46b9-b330-a72e2e114665"
	)
	w.ask(t, with("claims", claims), func(asked *request) { asked.header.Set("client-request-id", correlation) })
	w.ask(t, at("/"+tenant+"/oauth2/token"), with("resource", storage), signedBy("two"))
	got := w.Requests()
	if len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	first := Request{
		Exchange: Exchange{orders, vault}, Time: noon, TenantID: tenant, Version: 2, Claims: claims,
		Issuer: w.website.URL + "/cluster", Subject: subject, Audience: []string{audience}, KeyID: "one", ID: "an assertion",
		CorrelationID: correlation, Status: http.StatusOK,
	}
	if diff := cmp.Diff(first, got[0]); diff != "" {
		t.Errorf("first (-want +got):\n%s", diff)
	}
	second := first
	second.Resource, second.Version, second.Claims, second.KeyID = storage, 1, "", "two"
	second.CorrelationID, second.Status, second.ErrorCode = got[1].CorrelationID, http.StatusUnauthorized, 7000272
	if diff := cmp.Diff(second, got[1]); diff != "" {
		t.Errorf("second (-want +got):\n%s", diff)
	}
	if kept := w.Assertions(); len(kept) != 2 || strings.Count(kept[0], ".") != 2 {
		t.Errorf("%d assertions are kept", len(kept))
	}
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	l := newLog()
	for n := range maxCounts + 10 {
		asked := &ask{Exchange: Exchange{ClientID: strconv.Itoa(n)}, assertion: assertion{raw: "a"}}
		l.enter(asked)
		l.leave(asked, noon, http.StatusOK, 0)
	}
	if len(l.counts) != maxCounts+1 || len(l.requests) != maxRequests || len(l.assertions) != maxAssertions {
		t.Errorf("%d counts, %d requests, %d assertions", len(l.counts), len(l.requests), len(l.assertions))
	}
	if last := l.requests[maxRequests-1].ClientID; last != strconv.Itoa(maxCounts+9) {
		t.Errorf("the last request is %s", last)
	}
	if rest := l.counts[Exchange{}]; rest.Asked != 10 || rest.Issued != 10 {
		t.Errorf("the rest: %+v", rest)
	}
}
