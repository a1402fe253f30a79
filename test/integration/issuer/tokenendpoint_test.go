package issuer

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/entra"
)

// assertion returns the token that the kubelet writes for an application that uses workload identity.
func (c *cluster) assertion(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	return c.tokenFor(t, pod, binding{[]string{entra.CloudOf("AzurePublicCloud").Audience}, toPod(pod).object}, 3600)
}

// exchange sends an assertion to the token endpoint, as Python's WorkloadIdentityCredential does.
func (i *issuerProcess) exchange(t *testing.T, client *http.Client, clientID, assertion string) answer {
	t.Helper()
	i.keepSecret(assertion)
	response, err := client.PostForm("https://"+issuerHost+"/"+tenant+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {clientID}, "scope": {vault + "/.default"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	})
	must(t, err, "exchange an assertion")
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err, "read the answer")
	return answer{response.StatusCode, response.Header, string(body)}
}

// exchanged waits until an assertion is exchanged, and returns the token.
func (h home) exchanged(t *testing.T, assertion string) string {
	t.Helper()
	var a answer
	eventually(t, "the assertion is exchanged", func() error {
		if a = h.exchange(t, h.http, string(h.identity.Status.ClientID), assertion); a.status != http.StatusOK {
			return fmt.Errorf("got %d %s", a.status, a.body)
		}
		return nil
	})
	var body struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	decode(t, []byte(a.body), &body)
	h.keepSecret(body.AccessToken)
	if body.TokenType != "Bearer" || body.ExpiresIn < 3500 || body.ExpiresIn > 3600 {
		t.Errorf("answer is of type %q, for %d s", body.TokenType, body.ExpiresIn)
	}
	return body.AccessToken
}

// notExchanged waits until an assertion is refused with an AADSTS code.
func (h home) notExchanged(t *testing.T, client *http.Client, assertion string, code int) {
	t.Helper()
	eventually(t, fmt.Sprintf("the assertion is refused with %d", code), func() error {
		a := h.exchange(t, client, string(h.identity.Status.ClientID), assertion)
		var body struct {
			Codes []int `json:"error_codes"`
		}
		decode(t, []byte(a.body), &body)
		if a.status == http.StatusOK || !slices.Equal(body.Codes, []int{code}) {
			return fmt.Errorf("got %d %s", a.status, a.body)
		}
		return nil
	})
}

func testAssertionIsExchanged(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	pod := h.newPod(t, "workload", "node-1")
	token := h.exchanged(t, i.assertion(t, pod))
	_, claims := i.verify(t, token)
	want := jwt.MapClaims{"aud": vault, "iss": oidcURL + "/" + tenant + "/v2.0", "appid": string(h.identity.Status.ClientID)}
	for name, value := range want {
		if claims[name] != value {
			t.Errorf("claim %s = %v, want %v", name, claims[name], value)
		}
	}
	if sidecars := i.granted(t, pod, vault); sidecars != token {
		t.Error("the sidecar gets another token than the application")
	}
}

// An assertion is worth nothing to whoever has no other means to get the pod's tokens.
func testAssertionIsOfNoUseElsewhere(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	pod := h.newPod(t, "victim", "node-1")
	assertion := i.assertion(t, pod)
	h.exchanged(t, assertion)
	h.notExchanged(t, i.clientAt("127.0.0.8"), assertion, 70021)
	h.notExchanged(t, i.http, i.assertion(t, h.newPod(t, "elsewhere", "node-2")), 70021)
	h.notExchanged(t, i.http, i.tokenFor(t, pod, binding{audiences: []string{"api://AzureADTokenExchange"}}, 3600), 70021)
	h.notExchanged(t, i.http, i.bearer(t, pod), 700212)
	h.notExchanged(t, i.http, i.granted(t, pod, "api://AzureADTokenExchange"), 7000272)
	i.refused(t, assertion, http.StatusUnauthorized)
	eventually(t, "the audit log says who tried", func() error {
		for line := range strings.Lines(i.log.String()) {
			if strings.Contains(line, `"tokenendpoint"`) && strings.Contains(line, `"OtherAddress"`) && strings.Contains(line, string(pod.UID)) {
				return nil
			}
		}
		return fmt.Errorf("log = %q", i.log)
	})
	h.identity.Spec.AssumableBy = nil
	must(t, i.Update(t.Context(), h.identity), "withdraw the grant")
	h.notExchanged(t, i.http, assertion, 700016)
	pod.Status.Phase = corev1.PodSucceeded
	must(t, i.Status().Update(t.Context(), pod), "end the pod")
	h.notExchanged(t, i.http, assertion, 70021)
}

// An issuer without the flag has no token endpoint.
func testNoTokenEndpoint(t *testing.T, i *issuerProcess) {
	if a := i.exchange(t, i.http, "client", "assertion"); a.status != http.StatusNotFound {
		t.Errorf("got %d %s", a.status, a.body)
	}
}
