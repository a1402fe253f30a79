package issuer

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func testForeignTokensAreRefused(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	pod := h.newPod(t, "own", "node-1")
	own := i.bearer(t, pod)
	i.grantedTo(t, own, vault)
	var node corev1.Node
	must(t, i.Get(t.Context(), client.ObjectKey{Name: "node-1"}, &node), "read the Node")
	toNode := binding{object: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}

	for name, test := range map[string]struct {
		bearer string
		want   int
	}{
		"another node's pod":        {i.bearer(t, h.newPod(t, "other", "node-2")), http.StatusForbidden},
		"another audience":          {i.token(t, pod, toPod(pod)), http.StatusUnauthorized},
		"not bound":                 {i.token(t, pod, binding{}.forIssuer()), http.StatusUnauthorized},
		"bound to a node only":      {i.token(t, pod, toNode.forIssuer()), http.StatusUnauthorized},
		"another signature":         {withSignature(own, "AAAA"), http.StatusUnauthorized},
		"no signature":              {withSignature(own, ""), http.StatusUnauthorized},
		"algorithm none":            {withHeader(own, `{"alg":"none"}`), http.StatusUnauthorized},
		"unknown key":               {withHeader(own, `{"alg":"RS256","kid":"unknown"}`), http.StatusUnauthorized},
		"not a token":               {"no-token-at-all", http.StatusUnauthorized},
		"a token of the issuer":     {i.grantedTo(t, own, "kube-imds.io/issuer"), http.StatusUnauthorized},
		"own token, after all that": {own, http.StatusOK},
	} {
		if a := i.ask(t, test.bearer, vault); a.status != test.want {
			t.Errorf("%s: got %d %s, want %d", name, a.status, a.body, test.want)
		}
	}
}

func withSignature(token, signature string) string {
	return token[:strings.LastIndex(token, ".")+1] + signature
}

func withHeader(token, header string) string {
	_, rest, _ := strings.Cut(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + rest
}

func testPodThatHasGone(t *testing.T, i *issuerProcess) {
	pod := i.newHome(t).newPod(t, "gone", "node-1")
	bearer := i.bearer(t, pod)
	i.grantedTo(t, bearer, vault)
	i.delete(t, pod)
	// Its token is as new as that of a pod that the issuer does not know yet.
	i.refused(t, bearer, http.StatusServiceUnavailable)
}

func testPodThatHasEnded(t *testing.T, i *issuerProcess) {
	pod := i.newHome(t).newPod(t, "ended", "node-1")
	bearer := i.bearer(t, pod)
	i.grantedTo(t, bearer, vault)
	pod.Status.Phase = corev1.PodSucceeded
	must(t, i.Status().Update(t.Context(), pod), "end the pod")
	i.refused(t, bearer, http.StatusForbidden)
}

// A recreated ServiceAccount does not inherit the trust in tokens of the former one.
func testServiceAccountMadeAnew(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	bearer := i.bearer(t, h.newPod(t, "heir", "node-1"))
	i.grantedTo(t, bearer, vault)
	i.delete(t, h.account)
	i.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: h.name, Name: h.account.Name}})
	i.refused(t, bearer, http.StatusForbidden)
}
