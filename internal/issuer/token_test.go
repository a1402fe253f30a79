package issuer

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/token"
)

const askVault = `{"resource":"https://vault.azure.net"}`

func TestTokenIsGranted(t *testing.T) {
	for name, test := range map[string]struct {
		world      *world
		body       string
		wantClient string
	}{
		"by default":         {newWorld(), askVault, "client-orders"},
		"by its client ID":   {newWorld(boundTo("orders", "bills")), `{"resource":"https://vault.azure.net","client_id":"CLIENT-BILLS"}`, "client-bills"},
		"by its object ID":   {newWorld(boundTo("orders", "bills")), `{"resource":"https://vault.azure.net","object_id":"principal-bills"}`, "client-bills"},
		"by its resource ID": {newWorld(boundTo("orders", "bills")), `{"resource":"https://vault.azure.net","resource_id":"/Resource/bills"}`, "client-bills"},
		"by the pod's annotation": {newWorld(boundTo("orders", "bills"), withPod(func(p *corev1.Pod) {
			p.Annotations = map[string]string{v1alpha1.IdentityAnnotation: "bills"}
		})), askVault, "client-bills"},
		"by the ServiceAccount's annotation": {newWorld(boundTo("orders", "bills"), func(w *world) {
			w.account.Annotations = map[string]string{v1alpha1.IdentityAnnotation: "bills"}
		}), askVault, "client-bills"},
		"by the namespace's labels": {newWorld(func(w *world) {
			w.namespace.Labels = map[string]string{"team": "shop"}
			w.identities[0].Spec.AssumableBy = []v1alpha1.Admission{{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: w.namespace.Labels}, ServiceAccounts: []string{"orders"},
			}}
		}), askVault, "client-orders"},
		"for an allowed resource": {newWorld(withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Spec.AllowedResources = []string{"https://vault.azure.net/"}
		})), askVault, "client-orders"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, test.world, func(s *stage) {
				start := time.Now()
				recorder := s.askToken(ordersPod(), test.body)
				wantStatus(t, recorder, http.StatusOK)
				var got issuerapi.TokenResponse
				if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
					t.Fatal(err)
				}
				identity := strings.TrimPrefix(test.wantClient, "client-")
				want := issuerapi.TokenResponse{
					AccessToken: mintedSecret + " 1 " + identity + " " + vault, ClientID: test.wantClient,
					NotBefore: start.Unix(), ExpiresOn: start.Add(time.Hour).Unix(),
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("response (-want +got):\n%s", diff)
				}
				wantAudit := []map[string]any{{
					"msg": "token", "outcome": "granted", "namespace": "shop", "pod": "orders-0", "podUID": "pod-uid",
					"serviceAccount": "orders", "node": "node-1", "source": ordersAddress, "identity": identity, "clientID": test.wantClient,
					"resource": vault, "tokenID": "token-1", "cached": false,
					"expires": start.Add(time.Hour).UTC().Format(time.RFC3339),
				}}
				if diff := cmp.Diff(wantAudit, s.audit.entries(t)); diff != "" {
					t.Errorf("audit log (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTokenIsRefusedToPod(t *testing.T) {
	for name, test := range map[string]struct {
		world *world
		who   func(*podToken)
		want  refusal
	}{
		"another audience":                {newWorld(), func(p *podToken) { p.audience = "vault" }, notAuthenticated},
		"a pod of another node":           {newWorld(), func(p *podToken) { p.node = "node-2" }, notServed.because("OtherNode")},
		"an unknown pod":                  {newWorld(), func(p *podToken) { p.podUID = "other-uid" }, notServed},
		"a deleted pod":                   {newWorld(func(w *world) { w.pod = nil }), nil, notServed},
		"a pod that succeeded":            {newWorld(withPod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })), nil, notServed},
		"a pod that failed":               {newWorld(withPod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })), nil, notServed},
		"a pod of another namespace":      {newWorld(), func(p *podToken) { p.namespace = "bank" }, notServed},
		"a pod of another ServiceAccount": {newWorld(), func(p *podToken) { p.account = "bills" }, notServed},
		"a ServiceAccount that is gone":   {newWorld(func(w *world) { w.account = nil }), nil, notServed.because("Unauthenticated")},
		"another ServiceAccount's UID":    {newWorld(func(w *world) { w.account.UID = "new" }), nil, notServed.because("Unauthenticated")},
		"a namespace that is gone":        {newWorld(func(w *world) { w.namespace = nil }), nil, notServed},
		"not admitted": {newWorld(withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Spec.AssumableBy[0].Namespaces = []string{"bank"}
		})), nil, notFound},
		"identity does not exist": {newWorld(func(w *world) { w.identities = nil }), nil, notFound.because("IdentityNotFound")},
		"no identity requested":   {newWorld(func(w *world) { w.bindings = nil }), nil, notFound.because("NoIdentity")},
		"several and no default": {newWorld(boundTo("orders", "bills")), nil, refusal{400, "invalid_request",
			"Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
			"", "refused", "NoDefault"}},
		"identity is not ready": {newWorld(withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Status.Conditions[0].Status = metav1.ConditionFalse
		})), nil, away.because("IdentityNotReady")},
		"identity is not reconciled yet": {newWorld(withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Status = v1alpha1.ManagedIdentityStatus{}
		})), nil, away.because("IdentityNotReady")},
		"identity of Entra ID": {newWorld(withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Spec.TokenSource = v1alpha1.TokenSourceEntra
		})), nil, refusal{400, "invalid_request", "tokens of the identity's source Entra are not issued here", "", "refused", "BadRequest"}},
		"resource is not allowed": {newWorld(withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Spec.AllowedResources = []string{storage}
		})), nil, refusal{400, "invalid_resource",
			"AADSTS500011: The resource principal named https://vault.azure.net was not found in the tenant named " + tenant + ".",
			"", "refused", "ResourceNotAllowed"}},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, test.world, func(s *stage) {
				who := ordersPod()
				if test.who != nil {
					test.who(&who)
				}
				s.wantRefusal(s.askToken(who, askVault), test.want)
				s.minter.wantMade(t, 0)
				if lines := len(s.audit.entries(t)); lines != 1 {
					t.Errorf("audit log has %d lines", lines)
				}
			})
		})
	}
}

func TestTokenRequestIsRefused(t *testing.T) {
	resource := func(resource string) string {
		body, _ := json.Marshal(issuerapi.TokenRequest{Resource: resource})
		return string(body)
	}
	for name, test := range map[string]struct {
		body string
		want refusal
	}{
		"empty body":                  {"", badBody},
		"not JSON":                    {"resource=https://vault.azure.net", badBody},
		"truncated JSON":              {askVault[:10], badBody},
		"JSON array":                  {`["https://vault.azure.net"]`, badBody},
		"two objects":                 {askVault + askVault, badBody},
		"body too large":              {`{"x":"` + strings.Repeat("a", issuerapi.MaxRequestBytes) + `"}`, badBody},
		"no resource":                 {`{}`, noResource},
		"null":                        {`null`, noResource},
		"empty resource":              {resource(""), noResource},
		"long resource":               {resource(strings.Repeat("a", 513)), refusal{400, "invalid_request", "the resource is longer than 512 bytes", "", "refused", "BadRequest"}},
		"resource with escape":        {resource("https://vault\x1b[31m"), badResource},
		"resource with line break":    {resource("https://vault\n"), badResource},
		"resource with NUL":           {resource("https://vault\x00"), badResource},
		"resource with space":         {resource("https://vault .net"), badResource},
		"resource with em space":      {resource("https://vault\u2003.net"), badResource},
		"resource with bidi override": {resource("https://vault\u202e.net"), badResource},
		"resource is not UTF-8":       {"{\"resource\":\"https://vault\xff\"}", badResource},
		"identity is not granted":     {`{"resource":"https://vault.azure.net","client_id":"client-bills"}`, notFound.because("NotGranted")},
		"IDs of two identities":       {`{"resource":"https://vault.azure.net","client_id":"client-orders","object_id":"x"}`, notFound.because("NotGranted")},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, newWorld(), func(s *stage) {
				s.wantRefusal(s.askToken(ordersPod(), test.body), test.want)
				s.minter.wantMade(t, 0)
			})
		})
	}
}

func TestLongestResourceIsGranted(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		wantStatus(t, s.askToken(ordersPod(), `{"resource":"`+strings.Repeat("a", 512)+`"}`), http.StatusOK)
	})
}

func TestTokenIsRefusedWithoutValidBearer(t *testing.T) {
	for name, authorization := range map[string]string{
		"none":            "",
		"empty":           "Bearer ",
		"another scheme":  "Basic b3JkZXJzOnNlY3JldA==",
		"garbage":         "Bearer some-garbage",
		"garbage in form": "Bearer e30.e30.e30",
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, newWorld(), func(s *stage) {
				request := s.request("", http.MethodPost, issuerapi.TokenPath, askVault)
				request.Header.Set("Authorization", authorization)
				s.wantRefusal(s.ask(request), notAuthenticated)
			})
		})
	}
}

func TestBypassCacheMintsAnotherToken(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		s.Minters = mint.Minters{v1alpha1.TokenSourceLocal: mint.NewCache(s.minter, time.Now)}
		for _, body := range []string{askVault, `{"resource":"https://vault.azure.net","bypass_cache":true}`, askVault} {
			wantStatus(t, s.askToken(ordersPod(), body), http.StatusOK)
		}
		s.minter.wantMade(t, 2)
	})
}

func TestTokenIsThrottled(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		for range podLimits.Burst {
			wantStatus(t, s.askToken(ordersPod(), askVault), http.StatusOK)
		}
		s.wantRefusal(s.askToken(ordersPod(), askVault), refusal{429, "invalid_request",
			"Temporarily throttled, too many requests", "1", "unavailable", "Throttled"})
		time.Sleep(time.Second)
		wantStatus(t, s.askToken(ordersPod(), askVault), http.StatusOK)
	})
}

func TestAllEndpointsAreThrottled(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		bearer := ordersPod().sign(t)
		for _, path := range []string{issuerapi.GrantPath, issuerapi.InstancePath} {
			wantStatus(t, s.ask(s.request(bearer, http.MethodGet, path, "")), http.StatusOK)
		}
		for range podLimits.Burst - 2 {
			wantStatus(t, s.askToken(ordersPod(), askVault), http.StatusOK)
		}
		for _, path := range []string{issuerapi.GrantPath, issuerapi.InstancePath} {
			wantStatus(t, s.ask(s.request(bearer, http.MethodGet, path, "")), http.StatusTooManyRequests)
		}
	})
}

func TestTokenWaitsForTheSigner(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		s.Minters[v1alpha1.TokenSourceLocal] = &countingMinter{err: failure.NotNow("gone")}
		s.wantRefusal(s.askToken(ordersPod(), askVault), away)
	})
}

func TestTokenWaitsForCaches(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		s.failing = errors.New("the cache is not started")
		s.wantRefusal(s.askToken(ordersPod(), askVault), away)
	})
}

// A failed look-up must not be answered like a missing identity: clients do not retry those.
func TestTokenWaitsForIdentities(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		s.failingKind, s.failing = &v1alpha1.ManagedIdentity{}, errors.New("the cache is not started")
		s.wantRefusal(s.askToken(ordersPod(), askVault), away)
	})
}

// With a real key, all the way: only the response has the token.
func TestTokenIsInTheResponseOnly(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		key := build.Key(t)
		local := &mint.Local{Key: func() *token.Key { return key }, Issuers: token.Issuers{BaseURL: "https://oidc.test"}, Now: time.Now}
		s.Minters[v1alpha1.TokenSourceLocal] = mint.NewCache(local, time.Now)
		for _, cached := range []bool{false, true} {
			recorder := s.askToken(ordersPod(), askVault)
			wantStatus(t, recorder, http.StatusOK)
			var answer issuerapi.TokenResponse
			if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			signature := answer.AccessToken[strings.LastIndex(answer.AccessToken, ".")+1:]
			if signature == "" || strings.Contains(s.audit.text(), signature) {
				t.Errorf("the log contains the token, or there is no token: %s", s.audit.text())
			}
			entries := s.audit.entries(t)
			if got := entries[len(entries)-1]["cached"]; got != cached {
				t.Errorf("cached in the audit log = %v, want %t", got, cached)
			}
		}
	})
}

func TestTokenPathAcceptsPOSTOnly(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		recorder := httptest.NewRecorder()
		s.Handler().ServeHTTP(recorder, s.request(ordersPod().sign(t), http.MethodGet, issuerapi.TokenPath, ""))
		wantStatus(t, recorder, http.StatusMethodNotAllowed)
	})
}

func wantStatus(t *testing.T, recorder *httptest.ResponseRecorder, want int) {
	t.Helper()
	if recorder.Code != want {
		t.Fatalf("status = %d, want %d: %s", recorder.Code, want, recorder.Body)
	}
}
