package issuer

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/federation/installation"
	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/test/entra"
)

const (
	entraTenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	entraClient = "5f0d1d8c-0000-4000-8000-0000000000a1"
	storage     = "https://storage.azure.com"

	afterRotation = "https://after.example"
)

// entraTest is an issuer and a signer that are federated with a stand-in for Entra ID.
type entraTest struct {
	*issuerProcess
	entra  *entra.Server
	public string        // the directory of the public files
	issuer string        // their URL
	read   *atomic.Int64 // how often one was read

	identity *v1alpha1.ManagedIdentity
	home     home
	bearer   string
}

func TestEntra(t *testing.T) {
	e := startEntra(t, false)
	for _, one := range []struct {
		name string
		run  func(*testing.T, *entraTest)
	}{
		{"NothingIsSignedBeforePublication", testNothingIsSignedBeforePublication},
		{"MissingCredential", testMissingCredential},
		{"CredentialTakesEffect", testCredentialTakesEffect},
		{"OneExchangeForAllPods", testOneExchangeForAllPods},
		{"StolenIssuerGetsNoAssertion", testStolenIssuerGetsNoAssertion},
		{"ValidTokensOutliveAnOutage", testValidTokensOutliveAnOutage},
		{"SuccessorSignsOncePublished", testSuccessorSignsOncePublished},
		{"WithdrawnGrant", testWithdrawnGrant},
		{"TokensOfServiceAccounts", testTokensOfServiceAccounts},
	} {
		if !t.Run(one.name, func(t *testing.T) { one.run(t, e) }) {
			break
		}
	}
}

// startEntra starts it. The signer reads the public files itself, or with recorded waits for the administrator's record.
func startEntra(t *testing.T, recorded bool) *entraTest {
	t.Helper()
	e := &entraTest{public: t.TempDir(), read: &atomic.Int64{}}
	web := httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		e.read.Add(1)
		content, err := os.ReadFile(filepath.Join(e.public, filepath.FromSlash(request.URL.Path)))
		if err != nil {
			http.NotFound(writer, request)
			return
		}
		writer.Header().Set("Content-Type", "application/json")
		_, _ = writer.Write(content)
	}))
	t.Cleanup(web.Close)
	var err error
	reader := &publicFiles{RoundTripper: web.Client().Transport}
	e.entra, err = entra.New(&http.Client{Transport: reader}, vault, storage, afterRotation)
	must(t, err, "make the stand-in for Entra ID")
	authority := httptest.NewTLSServer(e.entra)
	t.Cleanup(authority.Close)
	roots := filepath.Join(t.TempDir(), "ca.crt")
	must(t, os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600), "write the authority's certificate")

	e.issuer = web.URL + "/cluster"
	c := startClusterOn(t, startAPIServer(t, signingWithRSA(t)), "federation.issuerURL="+e.issuer, fmt.Sprintf("federation.verifyPublication=%t", !recorded))
	reader.api, err = rest.TransportFor(c.config)
	must(t, err, "make a transport to the API server")
	server, err := url.Parse(c.config.Host)
	must(t, err, "read the API server's URL")
	reader.host = server.Host
	signer := c.startSigner(t, "--federation-issuer="+e.issuer, fmt.Sprintf("--federation-verify-publication=%t", !recorded),
		"--federation-publish-ahead=0s", "--outbound-ca-file="+roots)
	e.issuerProcess = c.startIssuer(t, "node-1", "--outbound-ca-file="+roots)

	t.Cleanup(func() { e.wantNoAssertionIn(t, signer.log, e.log) })

	e.home = e.newHome(t)
	e.identity = build.NewIdentity("entra").Admitting(e.home.name, "orders").WithClientID(entraClient).ManagedIdentity
	e.identity.Spec.TokenSource, e.identity.Spec.TenantID = v1alpha1.TokenSourceEntra, entraTenant
	e.identity.Spec.Entra = &v1alpha1.EntraSettings{Authority: authority.URL}
	e.create(t, e.identity)
	e.bearer = e.issuerProcess.bearer(t, e.newPod(t, "first"))
	return e
}

// publicFiles reads what Entra ID reads: the federation issuer's files over TLS, and the cluster issuer's from the API server, which
// here is not public.
type publicFiles struct {
	http.RoundTripper
	api  http.RoundTripper
	host string
}

// RoundTrip sends requests for the cluster's issuer to the API server.
func (p *publicFiles) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host == p.host || strings.HasPrefix(request.URL.Path, "/openid/v1/jwks") {
		request = request.Clone(request.Context())
		request.URL.Host, request.Host = p.host, p.host
		return p.api.RoundTrip(request)
	}
	return p.RoundTripper.RoundTrip(request)
}

// wantNoAssertionIn checks that logs contain no assertion, and so no part of one that is worth something.
func (e *entraTest) wantNoAssertionIn(t *testing.T, logs ...*output) {
	t.Helper()
	assertions := e.entra.Assertions()
	if len(assertions) == 0 {
		t.Error("Entra ID got no assertion")
	}
	for _, assertion := range assertions {
		for _, log := range logs {
			if signature := assertion[strings.LastIndex(assertion, ".")+1:]; strings.Contains(log.String(), signature) {
				t.Error("a log contains an assertion")
			}
		}
	}
}

// newPod creates a running pod that asks for the identity of Entra ID.
func (e *entraTest) newPod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	return e.newPodAt(t, podAddress, name)
}

// newPodAt creates such a pod with an address of its own.
func (e *entraTest) newPodAt(t *testing.T, address, name string) *corev1.Pod {
	t.Helper()
	return e.home.runPodAt(t, address, name, "node-1", map[string]string{v1alpha1.IdentityAnnotation: e.identity.Name})
}

// publish publishes the public files as an administrator does.
func (e *entraTest) publish(t *testing.T) {
	t.Helper()
	eventually(t, "the signer has federation keys", func() error {
		found, err := installation.Find(t.Context(), e.Client, namespace)
		if err != nil {
			return err
		}
		_, err = found.Write(filepath.Join(e.public, "cluster"))
		return err
	})
}

// register registers the identity in the stand-in.
func (e *entraTest) register(credentials ...entra.Credential) {
	e.entra.Register(entra.Identity{TenantID: entraTenant, ClientID: entraClient, ObjectID: "object", Credentials: credentials})
}

// federate publishes the public files, registers the identity with its federated credential, and waits until the signer signs assertions.
func (e *entraTest) federate(t *testing.T) {
	t.Helper()
	e.publish(t)
	e.register(e.credential())
	eventually(t, "the signer signs assertions", func() error {
		if a := e.askForAssertion(t); a.status != http.StatusOK {
			return fmt.Errorf("got %d %s", a.status, a.body)
		}
		return nil
	})
}

// credential is the identity's federated credential.
func (e *entraTest) credential() entra.Credential {
	return entra.Credential{Issuer: e.issuer, Subject: "kube-imds:identity:entra", Audience: exchangeAudience}
}

// awaitCondition waits until a condition of the identity has a status and its message has all parts.
func (e *entraTest) awaitCondition(t *testing.T, kind string, status metav1.ConditionStatus, parts ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the condition %s is %s", kind, status), func() error {
		var identity v1alpha1.ManagedIdentity
		if err := e.Get(t.Context(), client.ObjectKeyFromObject(e.identity), &identity); err != nil {
			return err
		}
		condition := apimeta.FindStatusCondition(identity.Status.Conditions, kind)
		if condition == nil || condition.Status != status {
			return fmt.Errorf("conditions = %+v", identity.Status.Conditions)
		}
		for _, part := range parts {
			if !strings.Contains(condition.Message, part) {
				return fmt.Errorf("message %q misses %q", condition.Message, part)
			}
		}
		return nil
	})
}

func testNothingIsSignedBeforePublication(t *testing.T, e *entraTest) {
	e.register()
	e.awaitCondition(t, v1alpha1.ConditionReady, metav1.ConditionUnknown, "kubectl imds federation credential entra")
	if a := e.refused(t, e.bearer, http.StatusServiceUnavailable); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	eventually(t, "the audit log says what to do", func() error {
		e.ask(t, e.bearer, vault)
		if !strings.Contains(e.log.String(), "kubectl imds federation publish") {
			return fmt.Errorf("log = %s", e.log)
		}
		return nil
	})
	e.awaitCondition(t, v1alpha1.ConditionFederated, metav1.ConditionFalse, "kubectl imds federation publish", e.issuer)
	if asked := e.entra.Asked(entra.Exchange{ClientID: entraClient, Resource: vault}); asked != 0 {
		t.Errorf("Entra ID was asked %d times", asked)
	}
}

func testMissingCredential(t *testing.T, e *entraTest) {
	e.publish(t)
	a := e.refused(t, e.bearer, http.StatusBadRequest)
	if !strings.Contains(a.body, "AADSTS70025") {
		t.Errorf("got %s", a.body)
	}
	command := "az identity federated-credential create --name kube-imds-entra --identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP " +
		"--issuer " + e.issuer + " --subject kube-imds:identity:entra --audiences api://AzureADTokenExchange"
	e.awaitCondition(t, v1alpha1.ConditionFederated, metav1.ConditionFalse, "AADSTS70025", "node-1", command)
	e.awaitCondition(t, v1alpha1.ConditionReady, metav1.ConditionFalse, command)
}

func testCredentialTakesEffect(t *testing.T, e *entraTest) {
	e.register(e.credential())
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(e.grantedTo(t, e.bearer, vault), claims, func(*jwt.Token) (any, error) { return e.entra.Public(), nil })
	must(t, err, "verify the token of Entra ID")
	if claims["appid"] != entraClient || claims["aud"] != vault {
		t.Errorf("claims = %v", claims)
	}
	e.awaitCondition(t, v1alpha1.ConditionFederated, metav1.ConditionTrue)
	e.awaitCondition(t, v1alpha1.ConditionReady, metav1.ConditionTrue)
}

// However many pods ask at once, Entra ID is asked once.
func testOneExchangeForAllPods(t *testing.T, e *entraTest) {
	var bearers []string
	for n := range 5 {
		bearers = append(bearers, e.issuerProcess.bearer(t, e.newPod(t, fmt.Sprintf("one-of-many-%d", n))))
	}
	for _, bearer := range bearers {
		e.grantedTo(t, bearer, vault)
	}
	hold := make(chan struct{})
	e.entra.Fail(entra.Fault{Times: 1, Until: hold})
	tokens := make(chan string, 12)
	var asking sync.WaitGroup
	for n := range cap(tokens) {
		asking.Go(func() { tokens <- e.ask(t, bearers[n%len(bearers)], storage).body })
	}
	close(hold)
	asking.Wait()
	close(tokens)
	first := <-tokens
	for one := range tokens {
		if one != first || !strings.Contains(one, "access_token") {
			t.Errorf("got %s, want the first one's answer", one)
		}
	}
	if asked := e.entra.Asked(entra.Exchange{ClientID: entraClient, Resource: storage}); asked != 1 {
		t.Errorf("Entra ID was asked %d times, want once", asked)
	}
}

func testStolenIssuerGetsNoAssertion(t *testing.T, e *entraTest) {
	issuer := e.issuerPod(t, "node-1")
	stolen := e.token(t, issuer, toPod(issuer).forSigner())
	here, local := e.newPod(t, "here"), e.home.newPod(t, "local", "node-1")
	there := e.home.runPod(t, "there", "node-2", map[string]string{v1alpha1.IdentityAnnotation: e.identity.Name})
	ask := func(pod *corev1.Pod, identity string) answer {
		return e.askSigner(t, stolen, signerapi.AssertionPath, signerapi.AssertionRequest{Pod: signerapi.Pod{UID: string(pod.UID)}, Identity: identity})
	}
	for _, test := range []struct {
		name     string
		pod      *corev1.Pod
		identity string
		want     int
		reason   string
	}{
		{"own pod", here, "entra", http.StatusOK, "assertion"},
		{"a pod of another node", there, "entra", http.StatusForbidden, "OtherNode"},
		{"an identity that the pod has not asked for", local, "entra", http.StatusServiceUnavailable, "Unavailable"},
		{"an identity of this cluster", local, e.home.identity.Name, http.StatusBadRequest, "BadRequest"},
	} {
		eventually(t, test.name, func() error {
			if a := ask(test.pod, test.identity); a.status != test.want || !strings.Contains(a.body, test.reason) {
				return fmt.Errorf("got %d %s, want %d %s", a.status, a.body, test.want, test.reason)
			}
			return nil
		})
	}
	outcome := signerapi.OutcomeRequest{Pod: signerapi.Pod{UID: string(there.UID)}, Identity: "entra", Code: 700213, Resource: vault}
	if a := e.askSigner(t, stolen, signerapi.OutcomePath, outcome); a.status != http.StatusForbidden {
		t.Errorf("an outcome of another node's pod: got %d %s", a.status, a.body)
	}
	e.delete(t, here)
	eventually(t, "the deleted pod gets nothing", func() error {
		if a := ask(here, "entra"); a.status != http.StatusForbidden {
			return fmt.Errorf("got %d %s", a.status, a.body)
		}
		return nil
	})
}

// An application with a valid token does not notice that Entra ID throttles, fails, or refuses, and Entra ID is left alone.
func testValidTokensOutliveAnOutage(t *testing.T, e *entraTest) {
	kept := e.grantedTo(t, e.bearer, vault)
	for n, test := range []struct {
		fault entra.Fault
		want  int
	}{
		{entra.Fault{Times: 1000, Status: http.StatusTooManyRequests, RetryAfter: "20"}, http.StatusTooManyRequests},
		{entra.Fault{Times: 1000, Status: http.StatusServiceUnavailable}, http.StatusServiceUnavailable},
		{entra.Fault{Times: 1000, HangUp: true}, http.StatusServiceUnavailable},
		{entra.Fault{Times: 1000, Code: 700016}, http.StatusBadRequest},
	} {
		e.entra.Fail(test.fault)
		resource := fmt.Sprintf("https://new-%d.example", n)
		for range 8 {
			if a := e.ask(t, e.bearer, resource); a.status != test.want || (a.header.Get("Retry-After") == "") != (test.want == http.StatusBadRequest) {
				t.Errorf("%+v: got %d %s, Retry-After %q", test.fault, a.status, a.body, a.header.Get("Retry-After"))
			}
		}
		if asked := e.entra.Asked(entra.Exchange{ClientID: entraClient, Resource: resource}); asked > 3 {
			t.Errorf("%+v: Entra ID was asked %d times", test.fault, asked)
		}
		if e.grantedTo(t, e.bearer, vault) != kept {
			t.Errorf("%+v: the valid token is not served", test.fault)
		}
	}
	e.entra.Fail(entra.Fault{})
}

// The successor of a key signs only after it was seen at the public URL, and no request fails.
func testSuccessorSignsOncePublished(t *testing.T, e *entraTest) {
	before := e.assertionKey(t)
	must(t, os.Rename(filepath.Join(e.public, "cluster"), filepath.Join(e.public, "away")), "take the public files away")
	e.annotate(t, names.FederationKeys(), keyring.RevokeAnnotation, e.nextKey(t, before))
	eventually(t, "there is another successor", func() error {
		if e.nextKey(t, before) == "" {
			return fmt.Errorf("there is none")
		}
		return nil
	})
	e.annotate(t, names.FederationKeys(), keyring.RotateAnnotation, "now")
	for range 20 {
		if now := e.assertionKey(t); now != before {
			t.Fatalf("key %s signs although it is not public", now)
		}
	}
	e.publish(t)
	eventually(t, "the successor signs", func() error {
		if e.assertionKey(t) == before {
			return fmt.Errorf("key %s still signs", before)
		}
		return nil
	})
	e.exchanged(t, afterRotation)
}

// exchanged asks for a first token for a resource, which needs an assertion that Entra ID can verify.
func (e *entraTest) exchanged(t *testing.T, resource string) {
	t.Helper()
	e.grantedTo(t, e.bearer, resource)
	if asked := e.entra.Asked(entra.Exchange{ClientID: entraClient, Resource: resource}); asked != 1 {
		t.Errorf("%s: Entra ID was asked %d times, want once", resource, asked)
	}
}

// askForAssertion asks the signer for an assertion, as the issuer.
func (e *entraTest) askForAssertion(t *testing.T) answer {
	t.Helper()
	issuer := e.issuerPod(t, "node-1")
	var pod corev1.Pod
	must(t, e.Get(t.Context(), client.ObjectKey{Namespace: e.home.name, Name: "first"}, &pod), "read the pod")
	return e.askSigner(t, e.token(t, issuer, toPod(issuer).forSigner()), signerapi.AssertionPath,
		signerapi.AssertionRequest{Pod: signerapi.Pod{UID: string(pod.UID)}, Identity: e.identity.Name})
}

// assertionKey returns the ID of the key that signs assertions.
func (e *entraTest) assertionKey(t *testing.T) string {
	t.Helper()
	a := e.askForAssertion(t)
	var response signerapi.AssertionResponse
	if a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &response) != nil {
		t.Fatalf("no assertion: %d %s", a.status, a.body)
	}
	assertion, _, err := jwt.NewParser().ParseUnverified(response.Assertion, jwt.MapClaims{})
	must(t, err, "read the assertion")
	return assertion.Header["kid"].(string)
}

// nextKey returns the ID of the key that is to sign after the current one.
func (e *entraTest) nextKey(t *testing.T, current string) string {
	t.Helper()
	found, err := installation.Find(t.Context(), e.Client, namespace)
	must(t, err, "find the federation issuer")
	for _, id := range found.KeyIDs {
		if id != current {
			return id
		}
	}
	return ""
}

// A ServiceAccount that is taken out of assumableBy loses even the cached token.
func testWithdrawnGrant(t *testing.T, e *entraTest) {
	e.grantedTo(t, e.bearer, vault)
	before := client.MergeFrom(e.identity.DeepCopy())
	e.identity.Spec.AssumableBy = nil
	must(t, e.Patch(t.Context(), e.identity, before), "withdraw the grant")
	e.refused(t, e.bearer, http.StatusBadRequest)
}
