package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/token"
)

// testIssuerWritesItsOwnKeysOnly uses the credentials of one node's issuer.
func testIssuerWritesItsOwnKeysOnly(t *testing.T, c *cluster) {
	pod := c.issuerPod(t, c.nodes[0])
	asIssuer := c.as(t, c.serviceAccountToken(t, pod, ""))
	asNobodysIssuer := c.as(t, c.requestToken(t, namespace, pod.Spec.ServiceAccountName, "", nil))

	own := c.newSigningKey(t, c.nodes[0])
	c.createAs(t, asIssuer, own, "")
	c.createAs(t, asIssuer, c.newSigningKey(t, c.nodes[1]), "node")
	c.createAs(t, asNobodysIssuer, c.newSigningKey(t, c.nodes[0]), "node")
	if err := asIssuer.Delete(t.Context(), own); err == nil {
		t.Error("an issuer can delete signing keys")
	}
}

// createAs registers a key with somebody's credentials: it must be forbidden for the reason, or, without one, go through.
func (c *cluster) createAs(t *testing.T, who client.Client, key *v1alpha1.SigningKey, reason string) {
	t.Helper()
	err := who.Create(t.Context(), key)
	if err == nil {
		t.Cleanup(func() { c.delete(t, key) })
	}
	switch {
	case reason == "" && err != nil:
		t.Errorf("a key of node %s cannot be registered: %v", key.Spec.NodeName, err)
	case reason != "" && (err == nil || !strings.Contains(err.Error(), "ValidatingAdmissionPolicy") || !strings.Contains(err.Error(), reason)):
		t.Errorf("a key of node %s is not refused by the policy: %v", key.Spec.NodeName, err)
	}
}

// testKeysLeaveWithTheirNode deletes a Node and looks at the JWKS.
func testKeysLeaveWithTheirNode(t *testing.T, c *cluster) {
	home := c.namespace(t)
	reader := c.start(t, newProbePod(c, home, "reader", "wait").trusting(c.authorities(t)))
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: home + "-node"}}
	c.create(t, node)
	key := c.newSigningKey(t, node.Name)
	c.create(t, key)
	url := oidcURL + "/" + c.tenant(t) + "/discovery/v2.0/keys"

	eventually(t, time.Minute, "the key is published", func(context.Context) error {
		if len(c.jwks(t, reader, url).Key(key.Spec.KeyID)) != 1 {
			return fmt.Errorf("it is not in the JWKS")
		}
		return nil
	})
	c.delete(t, node)
	eventually(t, time.Minute, "the key is gone", func(context.Context) error {
		if len(c.jwks(t, reader, url).Key(key.Spec.KeyID)) != 0 {
			return fmt.Errorf("it is still in the JWKS")
		}
		return nil
	})
}

// newSigningKey makes a key of a node, as its issuer would.
func (c *cluster) newSigningKey(t *testing.T, nodeName string) *v1alpha1.SigningKey {
	t.Helper()
	var node corev1.Node
	must(t, c.Get(t.Context(), client.ObjectKey{Name: nodeName}, &node), "read node %s", nodeName)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err, "make a key")
	id, err := token.KeyID(&private.PublicKey)
	must(t, err, "identify the key")
	return &v1alpha1.SigningKey{
		ObjectMeta: metav1.ObjectMeta{Name: id},
		Spec: v1alpha1.SigningKeySpec{
			NodeName: node.Name, NodeUID: string(node.UID), KeyID: id,
			PublicKey: v1alpha1.PublicJWK{
				KeyType: "RSA", Modulus: base64.RawURLEncoding.EncodeToString(private.N.Bytes()), Exponent: "AQAB",
			},
			NotBefore: metav1.Now(), NotAfter: metav1.NewTime(time.Now().Add(time.Hour)),
		},
	}
}

// as is a client with a ServiceAccount's token.
func (c *cluster) as(t *testing.T, token string) client.Client {
	t.Helper()
	config := rest.AnonymousClientConfig(c.config)
	config.BearerToken = token
	api, err := client.New(config, client.Options{Scheme: c.Scheme()})
	must(t, err, "make a client")
	return api
}

// tenant is the tenant of the installation.
func (c *cluster) tenant(t *testing.T) string {
	t.Helper()
	return string(c.identity(t, c.namespace(t)+"-tenant").Status.TenantID)
}
