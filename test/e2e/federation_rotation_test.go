package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/federation/installation"
	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/test/entra"
)

// testFederationKeyRotated rotates the key that signs assertions while a pod asks for tokens of one resource after the other, each of which
// needs an assertion. No request fails, and the successor signs once the website has it.
func testFederationKeyRotated(t *testing.T, c *cluster) {
	c.installChart(t, "federation.keys.publishAhead=1s")
	defer c.installChart(t)
	first, second := c.namespace(t), c.namespace(t)
	identity := c.entraIdentity(t, first, second)
	site := c.startWebsite(t)
	resources := []string{vault}
	for n := range 400 {
		resources = append(resources, fmt.Sprintf("https://resource-%d.example", n))
	}
	standIn := c.startEntraWith(t, resources, entra.Identity{
		TenantID: entraTenant, ClientID: entraClient, ObjectID: "object",
		Credentials: []entra.Credential{{Issuer: website, Subject: identitySubject(identity.Name), Audience: "api://AzureADTokenExchange"}},
	})
	asks := c.podOfAccount(t, first, "orders", identity.Name)
	asks.Spec.Containers[0].Args = []string{"requests", "--interval", "2s"}
	pod := c.start(t, asks)
	c.awaitStatus(t, pod, http.StatusOK)
	began := time.Now()
	old := c.awaitExchanges(t, pod, standIn, began, "")

	// The successor is public from the start, so another one takes its place.
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kube-imds-federation-keys"}}
	public := c.publicKeys(t, site)
	if successor := c.otherKey(t, func(id string) bool { return id != old }); successor != "" {
		c.annotate(t, secret, keyring.RevokeAnnotation, successor)
	}
	eventually(t, time.Minute, "there is a successor that is not public", func(context.Context) error {
		if c.otherKey(t, func(id string) bool { return !strings.Contains(public, id) }) == "" {
			return errors.New("there is none")
		}
		return nil
	})
	c.annotate(t, secret, keyring.RotateAnnotation, "now")
	if now := c.awaitExchanges(t, pod, standIn, time.Now(), ""); now != old {
		t.Errorf("key %s signs although it is not public", now)
	}
	c.publishAgain(t, site)
	c.awaitExchanges(t, pod, standIn, time.Now(), old)

	for _, line := range c.requestLines(t, pod) {
		if line.Time.After(began) && line.Status != http.StatusOK {
			t.Errorf("during the rotation a request failed: %+v", line)
		}
	}
	for _, one := range c.exchanges(t, pod, standIn) {
		if one.Time.After(began) && one.Status != http.StatusOK {
			t.Errorf("during the rotation Entra ID refused an assertion: %+v", one)
		}
	}
}

// awaitExchanges waits for two exchanges after a time, by another key than one, and returns the key that signed their assertions.
func (c *cluster) awaitExchanges(t *testing.T, pod *corev1.Pod, standIn startedHost, after time.Time, other string) string {
	t.Helper()
	key := ""
	eventually(t, 2*time.Minute, "Entra ID was asked again", func(context.Context) error {
		count := 0
		for _, one := range c.exchanges(t, pod, standIn) {
			if one.Time.After(after) && one.KeyID != other {
				count, key = count+1, one.KeyID
			}
		}
		if count < 2 {
			return fmt.Errorf("%d times by another key than %q", count, other)
		}
		return nil
	})
	return key
}

// exchanges returns what Entra ID was asked.
func (c *cluster) exchanges(t *testing.T, pod *corev1.Pod, standIn startedHost) []entra.Request {
	t.Helper()
	var requests []entra.Request
	c.getJSON(t, pod, fmt.Sprintf("http://%s:8081/requests", standIn.pod.Status.PodIP), &requests)
	return requests
}

// otherKey returns the ID of a key of the federation issuer, or "" if there is none like it.
func (c *cluster) otherKey(t *testing.T, wanted func(id string) bool) string {
	t.Helper()
	found, err := installation.Find(t.Context(), c.Client, namespace)
	must(t, err, "find the federation issuer")
	if i := slices.IndexFunc(found.KeyIDs, wanted); i >= 0 {
		return found.KeyIDs[i]
	}
	return ""
}

// publicKeys returns the website's document of the keys.
func (c *cluster) publicKeys(t *testing.T, site startedHost) string {
	t.Helper()
	var data corev1.Secret
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(site.pod), &data), "read the website's files")
	return string(data.Data["keys"])
}

// publishAgain publishes all keys. A change of the pod makes kubelet look at its files at once.
func (c *cluster) publishAgain(t *testing.T, site startedHost) {
	t.Helper()
	found, err := installation.Find(t.Context(), c.Client, namespace)
	must(t, err, "find the federation issuer")
	var data corev1.Secret
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(site.pod), &data), "read the website's files")
	before := client.MergeFrom(data.DeepCopy())
	data.Data["keys"] = found.JWKS
	must(t, c.Patch(t.Context(), &data, before), "publish the keys")
	c.annotate(t, site.pod, "e2e/published", time.Now().Format(time.RFC3339))
}

func (c *cluster) annotate(t *testing.T, object client.Object, annotation, value string) {
	t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, annotation, value)
	must(t, c.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(patch))), "annotate %s", object.GetName())
}
