package issuer

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

const vault = "https://vault.azure.net"

// answer is a response of the issuer.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request, and records the tokens of both sides. It does not fail the test, so it can be called from any goroutine.
func (i *issuerProcess) do(request *http.Request, bearer string) (answer, error) {
	return i.doOver(i.http, request, bearer)
}

// doOver does the same with another client.
func (i *issuerProcess) doOver(client *http.Client, request *http.Request, bearer string) (answer, error) {
	i.keepSecret(bearer)
	request.Header.Set("Authorization", "Bearer "+bearer)
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	var granted issuerapi.TokenResponse
	if json.Unmarshal(body, &granted) == nil && granted.AccessToken != "" {
		i.keepSecret(granted.AccessToken)
	}
	return answer{response.StatusCode, response.Header, string(body)}, nil
}

// ask requests a token of the default identity.
func (i *issuerProcess) ask(t *testing.T, bearer, resource string) answer {
	t.Helper()
	return i.askFor(t, bearer, issuerapi.TokenRequest{Resource: resource})
}

// askFor sends a token request.
func (i *issuerProcess) askFor(t *testing.T, bearer string, asked issuerapi.TokenRequest) answer {
	t.Helper()
	body, err := json.Marshal(asked)
	must(t, err, "render a request")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+issuerHost+issuerapi.TokenPath, strings.NewReader(string(body)))
	must(t, err, "make a request")
	a, err := i.do(request, bearer)
	must(t, err, "ask for a token")
	return a
}

// get sends a GET request.
func (i *issuerProcess) get(t *testing.T, bearer, path string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+issuerHost+path, nil)
	must(t, err, "make a request")
	a, err := i.do(request, bearer)
	must(t, err, "get %s", path)
	return a
}

// waitForGrant sends a request that is held until the grant changes. It returns when the issuer
// has the request.
func (i *issuerProcess) waitForGrant(t *testing.T, bearer string, known answer) <-chan answer {
	t.Helper()
	sent, answered := make(chan struct{}), make(chan answer, 1)
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) },
	})
	request, err := http.NewRequestWithContext(trace, http.MethodGet, "https://"+issuerHost+issuerapi.GrantPath, nil)
	must(t, err, "make a request")
	request.Header.Set("If-None-Match", known.header.Get("ETag"))
	go func() {
		a, err := i.do(request, bearer)
		if err != nil {
			t.Error("wait for the grant:", err)
		}
		answered <- a
	}()
	<-sent
	// The issuer answers this request after it has accepted the held one.
	i.get(t, bearer, issuerapi.InstancePath)
	return answered
}

// granted waits until a pod is granted a token: the issuer may not know all objects yet.
func (i *issuerProcess) granted(t *testing.T, pod *corev1.Pod, resource string) string {
	t.Helper()
	return i.grantedTo(t, i.bearer(t, pod), resource)
}

func (i *issuerProcess) grantedTo(t *testing.T, bearer, resource string) string {
	t.Helper()
	var a answer
	eventually(t, "a token is granted", func() error {
		if a = i.ask(t, bearer, resource); a.status != http.StatusOK {
			return fmt.Errorf("got %d %s", a.status, a.body)
		}
		return nil
	})
	var response issuerapi.TokenResponse
	decode(t, []byte(a.body), &response)
	return response.AccessToken
}

// refused waits until a request is refused with a status.
func (i *issuerProcess) refused(t *testing.T, bearer string, status int) answer {
	t.Helper()
	var a answer
	eventually(t, fmt.Sprintf("the token is refused with %d", status), func() error {
		if a = i.ask(t, bearer, vault); a.status != status {
			return fmt.Errorf("got %d %s", a.status, a.body)
		}
		return nil
	})
	return a
}

// verify verifies a token with the published keys, and returns its header and claims.
func (c *cluster) verify(t *testing.T, token string) (keyID string, claims jwt.MapClaims) {
	t.Helper()
	claims = jwt.MapClaims{}
	parsed, err := jwt.ParseWithClaims(token, claims, func(token *jwt.Token) (any, error) {
		set := c.jwks(t)
		return only(set, token.Header["kid"].(string))
	}, jwt.WithValidMethods([]string{"RS256"}))
	must(t, err, "verify the token")
	return parsed.Header["kid"].(string), claims
}

func only(set jose.JSONWebKeySet, id string) (any, error) {
	found := set.Key(id)
	if len(found) != 1 {
		return nil, fmt.Errorf("%d published keys have the ID %s", len(found), id)
	}
	return found[0].Key, nil
}

func decode(t *testing.T, document []byte, into any) {
	t.Helper()
	must(t, json.Unmarshal(document, into), "read %q", document)
}
