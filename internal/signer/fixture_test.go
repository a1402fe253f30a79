package signer

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/testing/bound"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/token"
)

const vault = "https://vault.azure.net"

// stage is a signer and its objects. On node-1 are the pods orders-0, which asks for the identity orders, and
// bills-0, which asks for bills and orders, and which only bills admits; on node-2 is stock-0.
type stage struct {
	testing.TB
	*Server
	client client.WithWatch
	audit  *strings.Builder
}

func newStage(t *testing.T, more ...client.Object) *stage {
	t.Helper()
	t.Parallel()
	return makeStage(t, more...)
}

func makeStage(t testing.TB, more ...client.Object) *stage {
	t.Helper()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	remote := build.NewIdentity("remote").Admitting("shop", "*").Ready().ManagedIdentity
	remote.Spec.TokenSource = v1alpha1.TokenSourceEntra
	strict := build.NewIdentity("strict").Admitting("shop", "*").Ready().ManagedIdentity
	strict.Spec.AllowedResources = []string{"https://storage.azure.com/"}
	objects := append([]client.Object{
		node("node-1", "westeurope"), node("node-2", "northeurope"),
		&corev1.Namespace{ObjectMeta: named("", "shop")},
		account("orders"), account("bills"), account("stock"),
		pod("orders-0", "orders", "node-1", "orders,remote,strict"), pod("bills-0", "bills", "node-1", "bills,orders"),
		pod("stock-0", "stock", "node-2", "stock"), issuerPod("node-1"), issuerPod("node-2"),
		build.NewIdentity("orders").Admitting("shop", "orders").Ready().ManagedIdentity,
		build.NewIdentity("bills").Admitting("shop", "bills").Ready().ManagedIdentity,
		build.NewIdentity("stock").Admitting("shop", "stock").Ready().ManagedIdentity,
		remote, strict,
	}, more...)
	for _, object := range objects {
		if identity, ok := object.(*v1alpha1.ManagedIdentity); ok && identity.Spec.TokenSource == "" {
			identity.Spec.TokenSource = v1alpha1.TokenSourceLocal
		}
	}
	known := fake.NewClientBuilder().WithScheme(kinds).WithIndex(&corev1.Pod{}, directory.PodUIDIndex, directory.IndexPodUID).
		WithObjects(objects...).Build()
	keys, audit := bound.Keys(t), &strings.Builder{}
	key := signingKey(t)
	return &stage{t, &Server{
		Issuers:         workload.NewAuthenticator(keys, signerapi.Audience, time.Now),
		Pods:            workload.NewAuthenticator(keys, issuerapi.Audience, time.Now),
		Namespace:       "imds",
		IssuerAccount:   "kube-imds-issuer",
		Directory:       &directory.Directory{Source: directory.Caches{Reader: known}, Changes: directory.NewChanges()},
		Key:             func() *token.Key { return key },
		TokenIssuers:    token.Issuers{BaseURL: "https://oidc.test"},
		Machine:         machine.Defaults{SubscriptionID: "the-subscription", ResourceGroup: "the-group"},
		NameWorkloads:   true,
		Attestations:    &attested.Signer{Current: attestationCertificate(t), Now: time.Now},
		Limits:          NewNodeLimits(100, 100),
		Log:             funcr.New(func(_, line string) { audit.WriteString(line + "\n") }, funcr.Options{}),
		Unauthenticated: rate.NewLimiter(1, 2),
		Now:             time.Now,
	}, known, audit}
}

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name + "-uid")}
}

func node(name, region string) *corev1.Node {
	made := &corev1.Node{ObjectMeta: named("", name)}
	made.Labels = map[string]string{corev1.LabelTopologyRegion: region}
	return made
}

func account(name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: named("shop", name)}
}

func pod(name, account, node, identities string) *corev1.Pod {
	made := &corev1.Pod{
		ObjectMeta: named("shop", name),
		Spec:       corev1.PodSpec{NodeName: node, ServiceAccountName: account},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	made.Annotations = map[string]string{v1alpha1.IdentityAnnotation: identities}
	return made
}

func issuerPod(node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: named("imds", "issuer-"+node),
		Spec:       corev1.PodSpec{NodeName: node, ServiceAccountName: "kube-imds-issuer"},
	}
}

func reference(name string) workload.Reference {
	return workload.Reference{Name: name, UID: name + "-uid"}
}

// issuerOf returns the token of a node's issuer.
func issuerOf(node string) bound.Token {
	return bound.Token{Audience: signerapi.Audience, Age: 5 * time.Minute, Workload: workload.Workload{
		Namespace: "imds", Pod: reference("issuer-" + node), ServiceAccount: reference("kube-imds-issuer"), Node: reference(node),
	}}
}

// tokenOf returns a pod's token for its issuer.
func tokenOf(pod, account, node string) bound.Token {
	return bound.Token{Audience: issuerapi.Audience, Age: 5 * time.Minute, Workload: workload.Workload{
		Namespace: "shop", Pod: reference(pod), ServiceAccount: reference(account), Node: reference(node),
	}}
}

// asking returns a request for a token of an identity for a pod.
func asking(pod, identity string) signerapi.TokenRequest {
	return signerapi.TokenRequest{Pod: signerapi.Pod{UID: pod + "-uid"}, Identity: identity, Resource: vault}
}

// ask sends a request of an issuer, and checks that the audit log contains no token.
func (s *stage) ask(issuer bound.Token, path string, request any) *httptest.ResponseRecorder {
	s.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		s.Fatal(err)
	}
	bearer := issuer.Sign(s.TB)
	asked := httptest.NewRequestWithContext(s.Context(), http.MethodPost, path, bytes.NewReader(body))
	asked.Header.Set("Authorization", "Bearer "+bearer)
	recorder := httptest.NewRecorder()
	s.Handler().ServeHTTP(recorder, asked)
	var signed signerapi.TokenResponse
	_ = json.Unmarshal(recorder.Body.Bytes(), &signed)
	for _, secret := range []string{bearer, signed.Token} {
		if secret != "" && strings.Contains(s.audit.String(), secret[strings.LastIndex(secret, ".")+1:]) {
			s.Errorf("the audit log contains a token:\n%s", s.audit)
		}
	}
	return recorder
}

// wantRefusal sends a request, and checks the status and the reason of its refusal, in the audit log too.
func (s *stage) wantRefusal(issuer bound.Token, request signerapi.TokenRequest, status int, reason string) {
	s.Helper()
	recorder := s.ask(issuer, signerapi.TokenPath, request)
	var refusal signerapi.Error
	if err := json.Unmarshal(recorder.Body.Bytes(), &refusal); err != nil || recorder.Code != status || refusal.Reason != reason {
		s.Errorf("got %d %s, want %d for reason %s", recorder.Code, recorder.Body, status, reason)
	}
	if !strings.Contains(s.audit.String(), `"reason"="`+reason+`"`) {
		s.Errorf("the audit log does not say %s:\n%s", reason, s.audit)
	}
	if wait := recorder.Header().Get("Retry-After"); (wait != "") != (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) {
		s.Errorf("Retry-After is %q with %d", wait, status)
	}
}

var makeSigningKey = sync.OnceValues(token.GenerateKey)

func signingKey(t testing.TB) *token.Key {
	t.Helper()
	private, err := makeSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func attestationCertificate(t testing.TB) func() *tls.Certificate {
	t.Helper()
	private, err := makeSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "metadata.azure.com"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return func() *tls.Certificate { return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private} }
}
