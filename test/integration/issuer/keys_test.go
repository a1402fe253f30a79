package issuer

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

func testKeyIsRegistered(t *testing.T, i *issuerProcess) {
	id, _ := i.verify(t, i.granted(t, i.newHome(t).newPod(t, "key", "node-1"), vault))
	var key v1alpha1.SigningKey
	must(t, i.Get(t.Context(), client.ObjectKey{Name: id}, &key), "read the SigningKey")
	var node corev1.Node
	must(t, i.Get(t.Context(), client.ObjectKey{Name: "node-1"}, &node), "read the Node")
	if key.Spec.NodeName != node.Name || key.Spec.NodeUID != string(node.UID) {
		t.Errorf("the key is registered for node %s, UID %s", key.Spec.NodeName, key.Spec.NodeUID)
	}
}

// A key that somebody deletes signs no more: the issuer makes another.
func testKeyIsTakenAway(t *testing.T, i *issuerProcess) {
	bearer := i.bearer(t, i.newHome(t).newPod(t, "rekeyed", "node-1"))
	before, _ := i.verify(t, i.grantedTo(t, bearer, vault))
	var key v1alpha1.SigningKey
	must(t, i.Get(t.Context(), client.ObjectKey{Name: before}, &key), "read the SigningKey")
	i.delete(t, &key)
	eventually(t, "another key signs", func() error {
		a := i.ask(t, bearer, vault)
		if a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "" {
			return fmt.Errorf("the new key is not published yet")
		}
		if id := keyOf(t, a); id == before {
			return fmt.Errorf("key %s, which was deleted, still signs", id)
		}
		return nil
	})
	i.verify(t, i.grantedTo(t, bearer, vault))
}

// keyOf is the ID of the key that signed a token.
func keyOf(t *testing.T, a answer) string {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("a request is answered with %d %s", a.status, a.body)
	}
	var response issuerapi.TokenResponse
	decode(t, []byte(a.body), &response)
	token, _, err := jwt.NewParser().ParseUnverified(response.AccessToken, jwt.MapClaims{})
	must(t, err, "read the token")
	return token.Header["kid"].(string)
}
