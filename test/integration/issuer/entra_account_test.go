package issuer

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/test/entra"
)

const (
	accountClient    = "5f0d1d8c-0000-4000-8000-0000000000a2"
	exchangeAudience = "api://AzureADTokenExchange"
)

// An identity whose assertions are tokens of ServiceAccounts needs a federated credential for each, and no federation issuer. Only the
// pod's own token counts.
func testTokensOfServiceAccounts(t *testing.T, e *entraTest) {
	identity := build.NewIdentity("by-account").Admitting(e.home.name, "orders").WithClientID(accountClient).ManagedIdentity
	identity.Spec.TokenSource, identity.Spec.TenantID = v1alpha1.TokenSourceEntra, entraTenant
	identity.Spec.Entra = &v1alpha1.EntraSettings{Authority: e.identity.Spec.Entra.Authority, Assertion: v1alpha1.AssertionServiceAccount}
	e.create(t, identity)
	ours := *e
	ours.identity = identity
	pod, neighbour := ours.newPod(t, "by-account"), ours.newPod(t, "by-account-too")
	bearer := e.issuerProcess.bearer(t, pod)
	ask := func(assertions ...string) answer {
		t.Helper()
		return e.askFor(t, bearer, issuerapi.TokenRequest{Resource: vault, Assertions: assertions})
	}
	await := func(status int, part string, assertions ...string) {
		t.Helper()
		eventually(t, fmt.Sprintf("the answer is %d with %s", status, part), func() error {
			if a := ask(assertions...); a.status != status || !strings.Contains(a.body, part) {
				return fmt.Errorf("got %d %s", a.status, a.body)
			}
			return nil
		})
	}
	issuer, own := e.clusterIssuer(t, pod)
	subject := "system:serviceaccount:" + e.home.name + ":orders"

	await(http.StatusBadRequest, "must be recreated")
	await(http.StatusBadRequest, "must be recreated", e.token(t, neighbour, forEntra(neighbour)), bearer)
	if asked := e.entra.Asked(entra.Exchange{ClientID: accountClient, Resource: vault}); asked != 0 {
		t.Errorf("Entra ID got %d assertions that are not the pod's", asked)
	}
	e.entra.Register(entra.Identity{TenantID: entraTenant, ClientID: accountClient, ObjectID: "object"})
	await(http.StatusBadRequest, "AADSTS70025", own)
	ours.awaitCondition(t, v1alpha1.ConditionFederated, metav1.ConditionFalse, "ServiceAccount "+e.home.name+"/orders",
		"--issuer "+issuer, "--subject "+subject)
	e.entra.Register(entra.Identity{TenantID: entraTenant, ClientID: accountClient, ObjectID: "object", Credentials: []entra.Credential{
		{Issuer: issuer, Subject: subject, Audience: exchangeAudience},
	}})
	await(http.StatusOK, "access_token", own)
	ours.awaitCondition(t, v1alpha1.ConditionReady, metav1.ConditionTrue)
	issued := e.entra.Asked(entra.Exchange{ClientID: accountClient, Resource: vault})
	bearer = e.issuerProcess.bearer(t, neighbour)
	await(http.StatusOK, "access_token", e.token(t, neighbour, forEntra(neighbour)))
	if asked := e.entra.Asked(entra.Exchange{ClientID: accountClient, Resource: vault}); asked != issued {
		t.Errorf("a pod of the same ServiceAccount caused %d exchanges", asked-issued)
	}
}

// signingWithRSA makes an API server sign ServiceAccount tokens with an RSA key: Entra ID takes no other.
func signingWithRSA(t *testing.T) func(*envtest.Arguments) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err, "make a key")
	path := filepath.Join(t.TempDir(), "sa.key")
	encoded := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	must(t, os.WriteFile(path, encoded, 0o600), "write the key")
	return func(arguments *envtest.Arguments) {
		arguments.Set("service-account-signing-key-file", path).Set("service-account-key-file", path)
	}
}

// forEntra returns the binding of a pod's token for Entra ID.
func forEntra(pod *corev1.Pod) binding {
	b := toPod(pod)
	b.audiences = []string{exchangeAudience}
	return b
}

// clusterIssuer returns the cluster's issuer, and the pod's token for Entra ID.
func (e *entraTest) clusterIssuer(t *testing.T, pod *corev1.Pod) (issuer, token string) {
	t.Helper()
	token = e.tokenFor(t, pod, forEntra(pod), 3600)
	review, err := e.kube.AuthenticationV1().TokenReviews().Create(t.Context(), &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{exchangeAudience}},
	}, metav1.CreateOptions{})
	must(t, err, "review the token")
	if !review.Status.Authenticated {
		t.Fatalf("the API server does not know its token: %s", review.Status.Error)
	}
	content, err := e.kube.Discovery().RESTClient().Get().AbsPath("/.well-known/openid-configuration").DoRaw(t.Context())
	must(t, err, "read the cluster's discovery document")
	var document struct{ Issuer string }
	decode(t, content, &document)
	return document.Issuer, token
}
