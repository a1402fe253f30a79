package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
)

const (
	assertionAudience = "api://AzureADTokenExchange"
	tokenPath         = "/" + tenant + "/oauth2/v2.0/token"
	formType          = "application/x-www-form-urlencoded"
)

// assertionOf returns a pod's token as the kubelet writes it for the application: for the token endpoint, and valid for an hour.
func assertionOf(who podToken) podToken {
	who.audience, who.life = assertionAudience, time.Hour
	return who
}

// formOf returns the form that Python sends with an assertion, with some changes.
func formOf(assertion string, changes ...string) url.Values {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"client-orders"}, "scope": {vault + "/.default"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}
	for n := 0; n < len(changes); n += 2 {
		form.Set(changes[n], changes[n+1])
	}
	return form
}

// exchangeAt sends a form from an address, and checks that the assertion leaks nowhere.
func (s *stage) exchangeAt(path string, form url.Values, address string) *httptest.ResponseRecorder {
	s.Helper()
	request := s.request("", http.MethodPost, path, form.Encode())
	request.Header.Set("Content-Type", formType)
	request.RemoteAddr = address + ":1024"
	recorder := s.ask(request)
	assertion := form.Get("client_assertion")
	if signature := assertion[strings.LastIndex(assertion, ".")+1:]; len(signature) > 4 &&
		(strings.Contains(s.audit.text(), signature) || strings.Contains(recorder.Body.String(), signature)) {
		s.Errorf("the log or the answer contains the assertion:\n%s\n%s", s.audit.text(), recorder.Body)
	}
	return recorder
}

func (s *stage) exchange(form url.Values) *httptest.ResponseRecorder {
	s.Helper()
	return s.exchangeAt(tokenPath, form, ordersAddress)
}

// aadsts is an error for the application and the audit log.
type aadsts struct {
	status          int
	code            int
	outcome, reason string
}

func (s *stage) wantAADSTS(recorder *httptest.ResponseRecorder, want aadsts) {
	s.Helper()
	var body struct {
		Codes   []int  `json:"error_codes"`
		TraceID string `json:"trace_id"`
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil || len(body.Codes) != 1 {
		s.Fatalf("response %q is no error of Entra ID: %v", recorder.Body, err)
	}
	entries := s.audit.entries(s.T)
	last := entries[len(entries)-1]
	outcome, _ := last["outcome"].(string)
	reason, _ := last["reason"].(string)
	if got := (aadsts{recorder.Code, body.Codes[0], outcome, reason}); got != want {
		s.Errorf("got %+v, want %+v: %v", got, want, last)
	}
	if last["msg"] != nameEntra || last["traceID"] != body.TraceID {
		s.Errorf("the audit log does not name the request %s: %v", body.TraceID, last)
	}
}

var (
	noMatch   = aadsts{401, 70021, "refused", "UnknownPod"}
	notThere  = aadsts{400, 700016, "refused", "NotGranted"}
	unproved  = aadsts{401, 70021, "refused", "Unauthenticated"}
	comeAgain = aadsts{503, 90033, "unavailable", "Unavailable"}
)

// because returns the error with another reason.
func (a aadsts) because(reason string) aadsts {
	a.reason = reason
	return a
}

// as returns the error with another code.
func (a aadsts) as(code int) aadsts {
	a.code = code
	return a
}

func TestAssertionIsExchanged(t *testing.T) {
	w := newWorld(boundTo("orders", "bills"))
	w.identities[1].Status.TenantID = "aaaaaaaa-2222-4333-8444-555555555555"
	onStage(t, w, func(s *stage) {
		start := time.Now()
		before := testutil.ToFloat64(tokenRequests.WithLabelValues("granted", "", "false"))
		recorder := s.exchangeAt("/AAAAAAAA-2222-4333-8444-555555555555/oauth2/v2.0/token",
			formOf(assertionOf(ordersPod()).sign(t), "client_id", "CLIENT-BILLS"), ordersAddress)
		wantStatus(t, recorder, http.StatusOK)
		var got map[string]any
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"token_type": "Bearer", "expires_in": 3600.0, "ext_expires_in": 3600.0, "access_token": mintedSecret + " 1 bills " + vault}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("response (-want +got):\n%s", diff)
		}
		trace := recorder.Header().Get("x-ms-request-id")
		wantAudit := []map[string]any{{
			"msg": "tokenendpoint", "outcome": "granted", "namespace": "shop", "pod": "orders-0", "podUID": "pod-uid",
			"serviceAccount": "orders", "node": "node-1", "source": ordersAddress, "identity": "bills", "clientID": "client-bills",
			"resource": vault, "tokenID": "token-1", "cached": false, "traceID": trace,
			"expires": start.Add(time.Hour).UTC().Format(time.RFC3339),
		}}
		if diff := cmp.Diff(wantAudit, s.audit.entries(t)); diff != "" || uuid.Validate(trace) != nil {
			t.Errorf("trace ID %q, audit log (-want +got):\n%s", trace, diff)
		}
		if got := testutil.ToFloat64(tokenRequests.WithLabelValues("granted", "", "false")) - before; got < 1 {
			t.Error("the token is not counted")
		}
	})
}

// The annotation of azure-workload-identity allows a day.
func TestAssertionOfADayIsExchanged(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		who := assertionOf(ordersPod())
		who.life = 24 * time.Hour
		wantStatus(t, s.exchange(formOf(who.sign(t))), http.StatusOK)
	})
}

func TestAssertionIsExchangedInVersion1(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		form := formOf(assertionOf(ordersPod()).sign(t), "resource", storage)
		recorder := s.exchangeAt("/"+tenant+"/oauth2/token", form, ordersAddress)
		wantStatus(t, recorder, http.StatusOK)
		var got map[string]string
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil || got["expires_in"] != "3600" || got["resource"] != storage {
			t.Errorf("response = %s, %v", recorder.Body, err)
		}
	})
}

// The token comes from the pod's cache, whichever way it asks.
func TestAssertionGetsTheCachedToken(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		s.Minters[v1alpha1.TokenSourceLocal] = mint.NewCache(s.minter, time.Now)
		wantStatus(t, s.askToken(ordersPod(), askVault), http.StatusOK)
		time.Sleep(10 * time.Minute)
		recorder := s.exchange(formOf(assertionOf(ordersPod()).sign(t)))
		wantStatus(t, recorder, http.StatusOK)
		if !strings.Contains(recorder.Body.String(), `"expires_in":3000,`) {
			t.Errorf("response = %s", recorder.Body)
		}
		s.minter.wantMade(t, 1)
	})
}

// The signer takes the sidecar's tokens only.
func TestAssertionIsNotSentToTheSigner(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		asked := make(askedMinter, 1)
		s.Minters[v1alpha1.TokenSourceLocal] = asked
		s.exchange(formOf(assertionOf(ordersPod()).sign(t)))
		if diff := cmp.Diff(mint.Pod{UID: "pod-uid"}, (<-asked).Pod); diff != "" {
			t.Errorf("minted for (-want +got):\n%s", diff)
		}
	})
}

func TestAssertionIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		world *world
		who   func(*podToken)
		want  aadsts
	}{
		"the sidecar's token":             {newWorld(), func(p *podToken) { p.audience = ordersPod().audience }, unproved.as(700212)},
		"another cloud's":                 {newWorld(), func(p *podToken) { p.audience += "China" }, unproved.as(700212)},
		"expired":                         {newWorld(), func(p *podToken) { p.age = 2 * time.Hour }, unproved.as(700024)},
		"not valid yet":                   {newWorld(), func(p *podToken) { p.age = -time.Hour }, unproved.as(700024)},
		"valid for more than a day":       {newWorld(), func(p *podToken) { p.life = 24*time.Hour + time.Second }, unproved},
		"not bound to a pod":              {newWorld(), func(p *podToken) { p.podUID = "" }, unproved},
		"a pod of another node":           {newWorld(), func(p *podToken) { p.node = "node-2" }, noMatch.because("OtherNode")},
		"another pod's":                   {newWorld(withPod(func(p *corev1.Pod) { p.Status.PodIPs[0].IP = "10.0.0.8" })), nil, noMatch.because("OtherAddress")},
		"an unknown pod":                  {newWorld(), func(p *podToken) { p.podUID = "other-uid" }, noMatch},
		"a deleted pod":                   {newWorld(func(w *world) { w.pod = nil }), nil, noMatch},
		"a pod that succeeded":            {newWorld(withPod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })), nil, noMatch},
		"a pod that is not injected":      {newWorld(withPod(func(p *corev1.Pod) { p.Spec.Volumes = nil })), nil, noMatch.because("NotInjected")},
		"a pod in its node's network":     {newWorld(withPod(func(p *corev1.Pod) { p.Spec.HostNetwork = true })), nil, noMatch.because("HostNetwork")},
		"a pod of another ServiceAccount": {newWorld(), func(p *podToken) { p.account = "bills" }, noMatch},
		"a ServiceAccount that is gone":   {newWorld(func(w *world) { w.account = nil }), nil, noMatch.because("Unauthenticated")},
		"not granted":                     {newWorld(boundTo("bills")), nil, notThere},
		"not admitted any more": {newWorld(withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Spec.AssumableBy = nil
		})), nil, notThere},
		"another tenant's identity": {newWorld(withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Status.TenantID = "11111111-2222-4333-8444-666666666666"
		})), nil, aadsts{400, 90002, "refused", "BadRequest"}},
		"an identity of Entra ID": {newWorld(withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Spec.TokenSource = v1alpha1.TokenSourceEntra
		})), nil, notThere.because("BadRequest")},
		"an identity that is not ready": {newWorld(withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Status.Conditions[0].Status = metav1.ConditionFalse
		})), nil, comeAgain.because("IdentityNotReady")},
		"a resource that is not allowed": {newWorld(withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Spec.AllowedResources = []string{storage}
		})), nil, aadsts{400, 500011, "refused", "ResourceNotAllowed"}},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, test.world, func(s *stage) {
				s.Minters[v1alpha1.TokenSourceEntra] = s.minter
				who := assertionOf(ordersPod())
				if test.who != nil {
					test.who(&who)
				}
				s.wantAADSTS(s.exchange(formOf(who.sign(t))), test.want)
				s.minter.wantMade(t, 0)
			})
		})
	}
}

func TestFormIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		path  string
		named string
		value string
		want  aadsts
	}{
		"garbage":           {tokenPath, "client_assertion", "garbage", unproved.as(50027).in(400)},
		"not signed":        {tokenPath, "client_assertion", "eyJhbGciOiJub25lIn0.e30.", unproved.as(700027)},
		"no client":         {tokenPath, "client_id", "", aadsts{400, 900144, "refused", "BadRequest"}},
		"unknown client":    {tokenPath, "client_id", "client-bills", notThere},
		"another tenant":    {"/contoso.onmicrosoft.com/oauth2/v2.0/token", "claims", "", aadsts{400, 90002, "refused", "BadRequest"}},
		"common":            {"/common/oauth2/v2.0/token", "claims", "", aadsts{400, 90002, "refused", "BadRequest"}},
		"a long resource":   {tokenPath, "scope", strings.Repeat("a", 513) + "/.default", aadsts{400, 70011, "refused", "BadRequest"}},
		"an impossible one": {tokenPath, "scope", "https://vault\x00/.default", aadsts{400, 70011, "refused", "BadRequest"}},
		"megabytes":         {tokenPath, "claims", strings.Repeat("a", 2<<20), aadsts{400, 9002313, "refused", "BadRequest"}},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, newWorld(), func(s *stage) {
				s.wantAADSTS(s.exchangeAt(test.path, formOf(assertionOf(ordersPod()).sign(t), test.named, test.value), ordersAddress), test.want)
				s.minter.wantMade(t, 0)
			})
		})
	}
}

func (a aadsts) in(status int) aadsts {
	a.status = status
	return a
}

// An assertion is no bearer token, in either way.
func TestAssertionIsNoBearerToken(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		who := assertionOf(ordersPod())
		who.life = 0
		s.wantRefusal(s.askToken(who, askVault), notAuthenticated)
		request := s.request(assertionOf(ordersPod()).sign(t), http.MethodPost, tokenPath, formOf("").Encode())
		request.Header.Set("Content-Type", formType)
		s.wantAADSTS(s.ask(request), aadsts{401, 7000218, "refused", "BadRequest"})
	})
}

func TestStolenAssertionIsRefusedElsewhere(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		form := formOf(assertionOf(ordersPod()).sign(t))
		s.wantAADSTS(s.exchangeAt(tokenPath, form, "10.0.0.8"), noMatch.because(failure.ReasonOtherAddress))
		wantStatus(t, s.exchange(form), http.StatusOK)
	})
}

func TestWithdrawnGrantEndsTheExchange(t *testing.T) {
	w := newWorld()
	onStage(t, w, func(s *stage) {
		form := formOf(assertionOf(ordersPod()).sign(t))
		wantStatus(t, s.exchange(form), http.StatusOK)
		s.update(w.identities[0], func() { w.identities[0].Spec.AssumableBy = nil })
		s.wantAADSTS(s.exchange(form), notThere)
	})
}

// A pod has one share of requests, whichever way it asks.
func TestExchangesCountForThePodsLimit(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		form := formOf(assertionOf(ordersPod()).sign(t))
		for range podLimits.Burst {
			wantStatus(t, s.exchange(form), http.StatusOK)
		}
		recorder := s.exchange(form)
		s.wantAADSTS(recorder, aadsts{429, 90055, "unavailable", "Throttled"})
		if recorder.Header().Get("Retry-After") != "1" {
			t.Errorf("header = %v", recorder.Header())
		}
		wantStatus(t, s.askToken(ordersPod(), askVault), http.StatusTooManyRequests)
	})
}

// Bodies are read only as often as a source may ask.
func TestFormsOfASourceAreLimited(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		statuses := map[int]int{}
		for range 2 * unknownTimes * podLimits.Burst {
			statuses[s.exchangeAt(tokenPath, formOf("e30.e30.e30"), "10.0.0.8").Code]++
		}
		if statuses[http.StatusTooManyRequests] != unknownTimes*podLimits.Burst {
			t.Errorf("statuses = %v", statuses)
		}
		if lines := s.linesFrom("10.0.0.8"); lines != sourceLines.burst {
			t.Errorf("%d lines in the audit log", lines)
		}
		wantStatus(t, s.exchange(formOf(assertionOf(ordersPod()).sign(t))), http.StatusOK)
	})
}

func TestSignerIsAwayForTheExchange(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		s.minter.err = failure.NotNow("the signer is away")
		recorder := s.exchange(formOf(assertionOf(ordersPod()).sign(t)))
		s.wantAADSTS(recorder, comeAgain)
		if recorder.Header().Get("Retry-After") != "2" {
			t.Errorf("header = %v", recorder.Header())
		}
	})
}

func TestTokenEndpointIsServedOnlyIfWanted(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		const text, json = "text/plain; charset=utf-8", "application/json"
		form := formOf(assertionOf(ordersPod()).sign(t))
		served := s.Assertions
		for _, test := range []struct {
			assertions   *workload.Authenticator
			method, path string
			status       int
			content      string
		}{
			{nil, http.MethodPost, tokenPath, http.StatusNotFound, text},
			{nil, http.MethodPost, "/" + tenant + "/oauth2/token", http.StatusNotFound, text},
			{served, http.MethodPost, tokenPath, http.StatusOK, json},
			{served, http.MethodGet, tokenPath, http.StatusMethodNotAllowed, json},
			{served, http.MethodPost, "/" + tenant + "/oauth2/v2.0/authorize", http.StatusNotFound, json},
		} {
			s.Assertions = test.assertions
			request := s.request("", test.method, test.path, form.Encode())
			request.Header.Set("Content-Type", formType)
			recorder := httptest.NewRecorder()
			s.Handler().ServeHTTP(recorder, request)
			if recorder.Code != test.status || recorder.Header().Get("Content-Type") != test.content {
				t.Errorf("%s %s: %d %v %s", test.method, test.path, recorder.Code, recorder.Header(), recorder.Body)
			}
		}
	})
}

// What asks Entra ID elsewhere in this repository understands the answers.
func TestClientOfEntraUnderstands(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(reachable(t).Handler())
	defer server.Close()
	client := &entra.Client{HTTP: server.Client(), Now: time.Now}
	asked := entra.Request{
		Authority: server.URL, TenantID: tenant, ClientID: "client-orders", Resource: vault, Assertion: assertionOf(ordersPod()).sign(t),
	}
	issued, err := client.Exchange(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	if life := issued.Expiry.Sub(issued.Issued); issued.AccessToken != mintedSecret+" 1 orders "+vault || life < 59*time.Minute || life > time.Hour {
		t.Errorf("token = %+v", issued)
	}
	asked.Assertion = ordersPod().sign(t)
	_, err = client.Exchange(t.Context(), asked)
	if answered, found := errors.AsType[*entra.Error](err); !found || answered.Code != 700212 || answered.OAuth != "invalid_client" ||
		answered.TraceID == "" || answered.Temporary() {
		t.Errorf("got %v of the sidecar's token", err)
	}
}

// askedMinter tells what it is asked.
type askedMinter chan mint.Request

func (m askedMinter) Mint(_ context.Context, request mint.Request) (mint.Minted, error) {
	m <- request
	return mint.Minted{}, nil
}
