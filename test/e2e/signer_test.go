package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

const (
	signerName = "kube-imds-signer"

	// killings is the number of killed signers, one every killEvery.
	killings  = 3
	killEvery = 20 * time.Second
)

// testNodeForgesNothing sends the signer requests like a thief of one issuer's token.
func testNodeForgesNothing(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity, other := c.identity(t, home+"-here", home), c.identity(t, home+"-other", "kube-system")
	here := c.start(t, newProbePod(c, home, "here", "wait").withIdentity(identity.Name).onNode(c.nodes[0]).trusting(c.authorities(t)))
	there := c.start(t, newProbePod(c, home, "there", "wait").withIdentity(identity.Name).onNode(c.nodes[1]))
	c.granted(t, here, "https://vault.azure.net")
	c.granted(t, there, "https://vault.azure.net")
	stolen := c.serviceAccountToken(t, c.issuerPod(t, c.nodes[0]), signerapi.Audience)
	for _, show := range []struct {
		name     string
		pod      *corev1.Pod
		identity string
		want     []int
	}{
		{"a pod of the node", here, identity.Name, []int{200}},
		{"a pod of another node", there, identity.Name, []int{403}},
		{"an identity that does not admit the pod", here, other.Name, []int{400, 503}}, // the pod is new
	} {
		t.Run(show.name, func(t *testing.T) {
			a := c.askSigner(t, here, stolen, signerapi.TokenPath, signerapi.TokenRequest{
				Pod: signerapi.Pod{UID: string(show.pod.UID)}, Identity: show.identity, Resource: "https://vault.azure.net",
			})
			for _, want := range show.want {
				if a.Status == want {
					return
				}
			}
			t.Errorf("got %+v, want status %v", a, show.want)
		})
	}
}

// askSigner sends the signer a request from inside a pod, with an issuer's token.
func (c *cluster) askSigner(t *testing.T, pod *corev1.Pod, token, path string, body any) answer {
	t.Helper()
	content, err := json.Marshal(body)
	must(t, err, "render a request")
	a, err := c.get(t.Context(), pod, "--method", "POST", "--body", string(content), "--bearer", token, "https://"+signerName+"."+namespace+".svc"+path)
	must(t, err, "send the signer a request")
	if a.Status == 0 {
		t.Skip("the cluster enforces NetworkPolicies, so only issuers reach the signer:", a.Error)
	}
	return a
}

// testSignerKilled kills one signer after the other while a pod keeps requesting tokens for new resources.
func testSignerKilled(t *testing.T, c *cluster) {
	pod := c.startAsking(t, "asks-while-signers-die")
	c.waitSigners(t, 2)
	began := time.Now()
	for range killings {
		var pods corev1.PodList
		must(t, c.List(t.Context(), &pods, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/component": "signer"}), "list the signers")
		must(t, c.Delete(t.Context(), &pods.Items[0], client.GracePeriodSeconds(0)), "kill a signer")
		<-time.After(killEvery)
		c.waitSigners(t, 2)
	}
	var asked int
	for _, line := range c.requestLines(t, pod) {
		if line.Time.After(began) {
			asked++
			if line.Status != 200 {
				t.Errorf("while signers were killed, a request failed: %+v", line)
			}
		}
	}
	if asked < 100 {
		t.Errorf("the pod sent only %d requests", asked)
	}
}

// testSignersGone stops all signers: cached tokens are served, and others are refused so that Azure
// SDKs retry.
func testSignersGone(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-patient", home)
	pod := c.start(t, newProbePod(c, home, "patient", "wait").withIdentity(identity.Name))
	c.granted(t, pod, "https://cached.example")
	c.scaleSigners(t, 0)
	for resource, want := range map[string]int{"https://cached.example": 200, "https://fresh.example": 503} {
		a, err := c.askIMDS(t.Context(), pod, resource)
		must(t, err, "request a token for %s", resource)
		if a.Status != want || want == 503 && a.Headers.Get("Retry-After") == "" {
			t.Errorf("without signers: response for %s = %+v", resource, a)
		}
	}
	c.scaleSigners(t, 2)
	c.granted(t, pod, "https://fresh.example")
}

// testKeyRotated rotates the key while a pod keeps requesting tokens. Clients here do not cache keys for a day, so the next
// key need not be published for as long.
func testKeyRotated(t *testing.T, c *cluster) {
	c.publishAhead(t, "1s")
	defer c.publishAhead(t, "24h")
	pod := c.startAsking(t, "asks-through-rotation")
	old := c.token(t, pod, "https://vault.azure.net")
	began := time.Now()
	c.orderKeys(t, keyring.RotateAnnotation, "now")
	c.awaitOtherKey(t, pod, old)
	for _, line := range c.requestLines(t, pod) {
		if line.Time.After(began) && line.Status != 200 {
			t.Errorf("during the rotation a request failed: %+v", line)
		}
	}
	// Tokens of the former key stay valid.
	c.verify(t, pod, old)
}

// testKeyRevoked revokes the key that signs: its tokens are no longer served, and no longer verify with the
// published keys.
func testKeyRevoked(t *testing.T, c *cluster) {
	pod := c.startAsking(t, "asks-through-revocation")
	old := c.token(t, pod, "https://vault.azure.net")
	c.orderKeys(t, keyring.RevokeAnnotation, "current")
	revoked := time.Now()
	// The sidecar has cached a token of the revoked key, and must not serve it.
	eventually(t, 30*time.Second, "the sidecar has dropped its token", func(context.Context) error {
		if now := c.token(t, pod, "https://vault.azure.net"); keyOf(t, now) == keyOf(t, old) {
			return fmt.Errorf("still a token of key %s", keyOf(t, old))
		}
		return nil
	})
	t.Logf("the sidecar served a token of another key after %s", time.Since(revoked).Round(time.Millisecond))
	c.verify(t, pod, c.token(t, pod, "https://vault.azure.net"))
	issuer, err := claimsOf(t, old).GetIssuer()
	must(t, err, "read iss")
	var discovery struct {
		JWKSURI string `json:"jwks_uri"`
	}
	c.getJSON(t, pod, issuer+"/.well-known/openid-configuration", &discovery)
	eventually(t, 10*time.Second, "the key is published no more", func(context.Context) error {
		if len(c.jwks(t, pod, discovery.JWKSURI).Key(keyOf(t, old))) != 0 {
			return fmt.Errorf("still in the JWKS")
		}
		return nil
	})
	for _, line := range c.requestLines(t, pod) {
		if line.Status != 200 && line.Status != 503 {
			t.Errorf("a response that Azure SDKs do not retry: %+v", line)
		}
	}
}

// publishAhead upgrades the release with another signer.keys.publishAhead.
func (c *cluster) publishAhead(t *testing.T, ahead string) {
	t.Helper()
	c.installChart(t, "signer.keys.publishAhead="+ahead)
	c.waitSigners(t, 2)
}

// orderKeys annotates the signing keys with an order for the signer.
func (c *cluster) orderKeys(t *testing.T, annotation, value string) {
	t.Helper()
	c.annotate(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kube-imds-signing-keys"}}, annotation, value)
}

// awaitOtherKey waits until new tokens are signed with another key.
func (c *cluster) awaitOtherKey(t *testing.T, pod *corev1.Pod, old string) {
	t.Helper()
	eventually(t, 2*time.Minute, "another key signs", func(context.Context) error {
		fresh := c.token(t, pod, fmt.Sprintf("https://fresh-%d.example", time.Now().UnixNano()))
		if keyOf(t, fresh) == keyOf(t, old) {
			return fmt.Errorf("key %s still signs", keyOf(t, old))
		}
		return nil
	})
}

func keyOf(t *testing.T, token string) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	must(t, err, "read the token")
	id, _ := parsed.Header["kid"].(string)
	return id
}

func claimsOf(t *testing.T, token string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(token, claims)
	must(t, err, "read the token")
	return claims
}

func (c *cluster) scaleSigners(t *testing.T, replicas int32) {
	t.Helper()
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: signerName}}
	patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)
	must(t, c.Patch(t.Context(), deployment, client.RawPatch("application/merge-patch+json", []byte(patch))), "scale the signer")
	c.waitSigners(t, replicas)
}

// waitSigners waits until the number of signers is as wanted and all are ready.
func (c *cluster) waitSigners(t *testing.T, replicas int32) {
	t.Helper()
	eventually(t, 2*time.Minute, "the signers are as they should be", func(ctx context.Context) error {
		var deployment appsv1.Deployment
		if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: signerName}, &deployment); err != nil {
			return err
		}
		var pods corev1.PodList
		err := c.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/component": "signer"})
		if err == nil && (deployment.Status.ReadyReplicas != replicas || len(pods.Items) != int(replicas)) {
			err = fmt.Errorf("%d ready of %d", deployment.Status.ReadyReplicas, len(pods.Items))
		}
		return err
	})
}
