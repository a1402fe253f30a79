package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// testIssuerRefusesForeignTokens sends issuers the tokens that they must refuse.
func testIssuerRefusesForeignTokens(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-bearer", home)
	pod := c.start(t, newProbePod(c, home, "bearer", "wait").
		withIdentity(identity.Name).onNode(c.nodes[0]).withIssuerToken().trusting(c.authorities(t)))
	gone := c.start(t, newProbePod(c, home, "gone", "wait").withIdentity(identity.Name).onNode(c.nodes[0]))
	tokenOfGone := c.serviceAccountToken(t, gone, issuerapi.Audience)
	c.removeAndWait(t, gone)

	ownFile := []string{"--bearer-file", issuerTokenFile}
	for _, show := range []struct {
		name   string
		node   string
		bearer []string
		want   int
	}{
		{"own token", c.nodes[0], ownFile, 200},
		{"a token of another node's pod", c.nodes[1], ownFile, 403},
		{"a token of another audience", c.nodes[0], bearer(c.serviceAccountToken(t, pod, "https://kubernetes.default.svc")), 401},
		{"a token without a pod", c.nodes[0], bearer(c.unboundToken(t, home)), 401},
		{"a deleted pod's token", c.nodes[0], bearer(tokenOfGone), 503}, // it is as new as that of a pod that is not known yet
		{"no token", c.nodes[0], nil, 401},
	} {
		t.Run(show.name, func(t *testing.T) {
			a := c.askIssuer(t, pod, show.node, show.bearer)
			if a.Status != show.want {
				t.Errorf("got %+v, want status %d", a, show.want)
			}
		})
	}
}

// askIssuer requests a token from a node's issuer from inside a pod.
func (c *cluster) askIssuer(t *testing.T, pod *corev1.Pod, node string, bearer []string) answer {
	t.Helper()
	return c.postToIssuer(t, pod, node, issuerapi.TokenPath, issuerapi.TokenRequest{Resource: vault}, bearer)
}

// postToIssuer sends a node's issuer a request from inside a pod.
func (c *cluster) postToIssuer(t *testing.T, pod *corev1.Pod, node, path string, body any, bearer []string) answer {
	t.Helper()
	content, err := json.Marshal(body)
	must(t, err, "render a request")
	arguments := append([]string{
		"--method", "POST", "--body", string(content), "--dial", c.issuerPod(t, node).Status.PodIP + ":8443",
	}, bearer...)
	a, err := c.get(t.Context(), pod, append(arguments, "https://"+issuer+"."+namespace+".svc"+path)...)
	must(t, err, "send the issuer a request")
	return a
}

func bearer(token string) []string { return []string{"--bearer", token} }

// serviceAccountToken returns a token that is bound to the pod, like those that kubelet projects into it.
func (c *cluster) serviceAccountToken(t *testing.T, pod *corev1.Pod, audience string) string {
	t.Helper()
	return c.requestToken(t, pod.Namespace, pod.Spec.ServiceAccountName, audience, &authenticationv1.BoundObjectReference{
		APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID,
	})
}

func (c *cluster) unboundToken(t *testing.T, home string) string {
	t.Helper()
	return c.requestToken(t, home, "default", issuerapi.Audience, nil)
}

func (c *cluster) requestToken(t *testing.T, home, account, audience string, bound *authenticationv1.BoundObjectReference) string {
	t.Helper()
	var audiences []string
	if audience != "" {
		audiences = []string{audience}
	}
	request, err := c.kube.CoreV1().ServiceAccounts(home).CreateToken(t.Context(), account, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: new(int64(600)), BoundObjectRef: bound},
	}, metav1.CreateOptions{})
	must(t, err, "request a token of ServiceAccount %s", account)
	return request.Status.Token
}

// removeAndWait deletes a pod and waits until it is gone.
func (c *cluster) removeAndWait(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	c.delete(t, pod)
	eventually(t, time.Minute, "the pod "+pod.Name+" is gone", func(ctx context.Context) error {
		err := c.Get(ctx, client.ObjectKeyFromObject(pod), &corev1.Pod{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.New("it is still there")
	})
}
