package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// testCompletedPodGetsNothing replays the token of a pod that has completed, from a running pod of the same ServiceAccount and node. The token
// is valid, and the pod's object is there. A thief of the issuer's token asks the signer for an assertion for that pod too.
func testCompletedPodGetsNothing(t *testing.T, c *cluster, identity *v1alpha1.ManagedIdentity, running *corev1.Pod) {
	unstarted := newProbePod(c, running.Namespace, "short", "listen", "--once", ":9000").withIdentity(identity.Name).
		onNode(running.Spec.NodeName).trusting(c.authorities(t))
	unstarted.Spec.ServiceAccountName = running.Spec.ServiceAccountName
	pod := c.start(t, unstarted)
	replay := bearer(c.serviceAccountToken(t, pod, issuerapi.Audience))
	stolen := c.serviceAccountToken(t, c.issuerPod(t, pod.Spec.NodeName), signerapi.Audience)
	requests := map[string]any{
		issuerapi.AssertionPath: issuerapi.AssertionRequest{ClientID: entraClient},
		issuerapi.TokenPath:     issuerapi.TokenRequest{Resource: vault},
	}
	eventually(t, 30*time.Second, "the pod is served while it runs", func(context.Context) error {
		for path, body := range requests {
			if a := c.postToIssuer(t, pod, pod.Spec.NodeName, path, body, replay); a.Status != http.StatusOK {
				return fmt.Errorf("%s answers %d %s", path, a.Status, a.Error)
			}
		}
		return c.wantAssertion(t, running, stolen, pod, identity.Name)
	})
	c.complete(t, pod, running)

	for path, body := range requests {
		t.Run(strings.TrimPrefix(path, "/v1/"), func(t *testing.T) {
			eventually(t, 30*time.Second, "the token is refused because its pod has ended", func(context.Context) error {
				if a := c.postToIssuer(t, running, pod.Spec.NodeName, path, body, replay); a.Status != http.StatusForbidden {
					return fmt.Errorf("got %d %s", a.Status, a.Error)
				}
				return c.inAuditLog(t, pod.Spec.NodeName, `"msg":"`+strings.TrimPrefix(path, "/v1/")+`"`, `"podUID":"`+string(pod.UID)+`"`,
					`"source":"`+running.Status.PodIP+`"`, `"reason":"UnknownPod"`, `"detail":"the pod has ended"`)
			})
		})
	}
	t.Run("signer", func(t *testing.T) {
		eventually(t, 30*time.Second, "the signer refuses an assertion", func(context.Context) error {
			return c.wantAssertion(t, running, stolen, pod, identity.Name, "UnknownPod")
		})
	})
}

// complete ends a pod's only process from another pod, and waits until the pod has succeeded.
func (c *cluster) complete(t *testing.T, pod, from *corev1.Pod) {
	t.Helper()
	output, err := c.exec(t.Context(), from, "connect", "--address", pod.Status.PodIP+":9000")
	if err != nil || output != "answered: open" {
		t.Fatalf("connect to pod %s: %q, %v", pod.Name, output, err)
	}
	eventually(t, time.Minute, "the pod "+pod.Name+" has succeeded", func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		if pod.Status.Phase != corev1.PodSucceeded {
			return fmt.Errorf("phase %s: %s", pod.Status.Phase, containerStates(pod))
		}
		return nil
	})
}

// testStolenIssuerGetsNoAssertion asks the signer for assertions like a thief of the issuer's token of a pod's node, with an identity that
// has a pod on the other node alone.
func testStolenIssuerGetsNoAssertion(t *testing.T, c *cluster, identity *v1alpha1.ManagedIdentity, here *corev1.Pod) {
	const otherClient = "5f0d1d8c-0000-4000-8000-0000000000a2"
	other := &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: here.Namespace + "-other"}, Spec: v1alpha1.ManagedIdentitySpec{
		TokenSource: v1alpha1.TokenSourceEntra, TenantID: entraTenant, ClientID: otherClient, Entra: &v1alpha1.EntraSettings{Authority: authority},
		AssumableBy: []v1alpha1.Admission{{Namespaces: []string{here.Namespace}, ServiceAccounts: []string{"*"}}},
	}}
	c.createResolved(t, other)
	node := c.nodes[slices.IndexFunc(c.nodes[:], func(name string) bool { return name != here.Spec.NodeName })]
	there := c.start(t, newProbePod(c, here.Namespace, "there", "wait").withIdentity(other.Name).onNode(node))
	stolen := c.serviceAccountToken(t, c.issuerPod(t, here.Spec.NodeName), signerapi.Audience)
	for _, show := range []struct {
		name     string
		token    string
		pod      *corev1.Pod
		identity string
		want     []string // reasons; none for an assertion
	}{
		{"the node's own pod", stolen, here, identity.Name, nil},
		{"the other node's pod", stolen, there, other.Name, []string{"OtherNode"}},
		{"the other node's identity", stolen, here, other.Name, []string{"NotGranted", "Unavailable"}}, // the pod may be new
		{"by the other node's issuer", c.serviceAccountToken(t, c.issuerPod(t, node), signerapi.Audience), there, other.Name, nil},
	} {
		t.Run(show.name, func(t *testing.T) {
			eventually(t, 30*time.Second, "the signer answers as it must", func(context.Context) error {
				return c.wantAssertion(t, here, show.token, show.pod, show.identity, show.want...)
			})
		})
	}
}

// wantAssertion asks the signer for an assertion for a pod, with an issuer's token. It returns nil if the signer refuses for one of the reasons,
// or makes an assertion if there is none.
func (c *cluster) wantAssertion(t *testing.T, from *corev1.Pod, token string, pod *corev1.Pod, identity string, reasons ...string) error {
	t.Helper()
	a := c.askSigner(t, from, token, signerapi.AssertionPath, signerapi.AssertionRequest{Pod: signerapi.Pod{UID: string(pod.UID)}, Identity: identity})
	if a.Status == http.StatusOK {
		if len(reasons) > 0 {
			return fmt.Errorf("the signer made an assertion, want %v", reasons)
		}
		return nil
	}
	var refused signerapi.Error
	if err := json.Unmarshal([]byte(a.Body), &refused); err != nil {
		return fmt.Errorf("read the signer's answer %d: %w", a.Status, err)
	}
	if !slices.Contains(reasons, refused.Reason) {
		return fmt.Errorf("the signer answered %d %s: %s, want %v", a.Status, refused.Reason, refused.Detail, reasons)
	}
	return nil
}
