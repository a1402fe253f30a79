package issuer

import (
	"context"
	"fmt"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// home is a namespace for a test, with a ServiceAccount that is admitted by an identity named like the namespace.
type home struct {
	*issuerProcess
	name     string
	account  *corev1.ServiceAccount
	identity *v1alpha1.ManagedIdentity
}

// newHome creates a namespace and waits until its identity is ready.
func (i *issuerProcess) newHome(t *testing.T) home {
	t.Helper()
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	i.create(t, made)
	h := home{issuerProcess: i, name: made.Name,
		account:  &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: made.Name, Name: "orders"}},
		identity: build.NewIdentity(made.Name).Admitting(made.Name, "orders").ManagedIdentity,
	}
	i.create(t, h.account)
	i.create(t, h.identity)
	i.awaitReady(t, h.identity)
	return h
}

// awaitReady waits until an identity is ready, and reads it.
func (c *cluster) awaitReady(t *testing.T, identity *v1alpha1.ManagedIdentity) {
	t.Helper()
	eventually(t, "the identity is ready", func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(identity), identity); err != nil {
			return err
		}
		if !apimeta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("conditions = %+v", identity.Status.Conditions)
		}
		return nil
	})
}

// podAddress is the address of most pods: a loopback address, from which the tests send requests.
const podAddress = "127.0.0.7"

// newPod creates a running pod that asks for the identity.
func (h home) newPod(t *testing.T, name, node string) *corev1.Pod {
	t.Helper()
	return h.runPod(t, name, node, map[string]string{v1alpha1.IdentityAnnotation: h.identity.Name})
}

// newPlainPod creates a running pod that asks for no identity.
func (h home) newPlainPod(t *testing.T, name, node string) *corev1.Pod {
	t.Helper()
	return h.runPod(t, name, node, nil)
}

func (h home) runPod(t *testing.T, name, node string, annotations map[string]string) *corev1.Pod {
	t.Helper()
	return h.runPodAt(t, podAddress, name, node, annotations)
}

// runPodAt creates a running pod with an address of its own.
func (h home) runPodAt(t *testing.T, address, name, node string, annotations map[string]string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: h.name, Name: name, Labels: map[string]string{"app": name}, Annotations: annotations,
		},
		Spec: corev1.PodSpec{
			NodeName: node, ServiceAccountName: h.account.Name,
			Containers: []corev1.Container{{Name: "app", Image: "app"}}, Volumes: []corev1.Volume{build.IssuerToken()},
		},
	}
	h.create(t, pod)
	pod.Status.Phase, pod.Status.PodIPs = corev1.PodRunning, []corev1.PodIP{{IP: address}, {IP: "fd00::7"}}
	pod.Status.PodIP = address
	must(t, h.Status().Update(t.Context(), pod), "set the pod running")
	return pod
}

// binding holds a token's audience and the object that it is bound to.
type binding struct {
	audiences []string
	object    *authenticationv1.BoundObjectReference
}

// toPod returns the binding of a token for the API server, like kubelet's.
func toPod(pod *corev1.Pod) binding {
	return binding{object: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}}
}

// forIssuer returns the binding of a sidecar's token.
func (b binding) forIssuer() binding { return binding{[]string{issuerapi.Audience}, b.object} }

// forSigner returns the binding of an issuer's token.
func (b binding) forSigner() binding { return binding{[]string{signerapi.Audience}, b.object} }

// token returns a token of the pod's ServiceAccount, as long as a sidecar's.
func (c *cluster) token(t *testing.T, pod *corev1.Pod, b binding) string {
	t.Helper()
	return c.tokenFor(t, pod, b, issuerapi.TokenSeconds)
}

// tokenFor returns a token with a validity in seconds.
func (c *cluster) tokenFor(t *testing.T, pod *corev1.Pod, b binding, seconds int64) string {
	t.Helper()
	token, err := c.requestToken(t.Context(), pod, b, seconds)
	must(t, err, "request a token of ServiceAccount %s", pod.Spec.ServiceAccountName)
	return token
}

// requestToken does the same in any goroutine.
func (c *cluster) requestToken(ctx context.Context, pod *corev1.Pod, b binding, seconds int64) (string, error) {
	request, err := c.kube.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, pod.Spec.ServiceAccountName,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
			Audiences: b.audiences, BoundObjectRef: b.object, ExpirationSeconds: &seconds,
		}}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return request.Status.Token, nil
}

// bearer returns the token of the pod's sidecar.
func (c *cluster) bearer(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	return c.token(t, pod, toPod(pod).forIssuer())
}
