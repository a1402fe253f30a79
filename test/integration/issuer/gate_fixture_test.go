package issuer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

const (
	apiHost     = "orders.shop.svc"
	apiAudience = "api://orders"
)

// apiTest is a service of somebody's own with a real gate before it, in a namespace of theirs, and a pod whose identity may be given app roles.
type apiTest struct {
	*vaultTest
	service *orderService

	// folder has the certificate of the API, and what the gate reads.
	folder string
	pod    *corev1.Pod
}

// startAPI starts the service and its gate.
func startAPI(t *testing.T) *apiTest {
	t.Helper()
	c := startClusterOn(t, startAPIServer(t), "apis.enabled=true")
	c.startSigner(t)
	a := &apiTest{vaultTest: &vaultTest{issuerProcess: c.startIssuer(t, "node-1")}, service: startOrderService(t), folder: t.TempDir()}
	a.home = a.newHome(t)
	a.bearer = a.issuerProcess.bearer(t, a.home.newPod(t, "orders", "node-1"))
	a.grantedTo(t, a.bearer, apiAudience)
	oidc := c.startPart(t, "oidc", "--authority-address="+freeAddresses(t, 1)[0])
	a.pod = a.newGatePod(t)
	a.writeCertificate(t, 1)
	a.write(t, "ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.controller.authority.Certificate.Raw}))
	a.write(t, "openapi.yaml", []byte(orderDocument))
	a.server = c.startPartOf(t, "gate", a.pod, a.arguments("--oidc-address="+oidc.address)...)
	return a
}

func (a *apiTest) arguments(more ...string) []string {
	return append([]string{
		"--api=orders", "--namespace=" + a.home.name, "--audience=" + apiAudience, "--openapi=" + filepath.Join(a.folder, "openapi.yaml"),
		"--backend=" + a.service.URL, "--trust-file=" + filepath.Join(a.folder, "ca.crt"), "--tls=" + a.folder,
	}, more...)
}

// newGatePod makes a pod of the namespace, whose ServiceAccount has what the documentation says.
func (a *apiTest) newGatePod(t *testing.T) *corev1.Pod {
	t.Helper()
	named := metav1.ObjectMeta{Namespace: a.home.name, Name: "orders-api"}
	a.create(t, &corev1.ServiceAccount{ObjectMeta: named})
	_, err := a.kube.RbacV1().RoleBindings(a.home.name).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: named,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: release + "-gate"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: a.home.name, Name: named.Name}},
	}, metav1.CreateOptions{})
	must(t, err, "bind the role of gates")
	pod := &corev1.Pod{ObjectMeta: named, Spec: corev1.PodSpec{
		NodeName: "node-2", ServiceAccountName: named.Name, Containers: []corev1.Container{{Name: "gate", Image: "gate"}},
	}}
	a.create(t, pod)
	return pod
}

func (a *apiTest) write(t *testing.T, name string, content []byte) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(a.folder, name), content, 0o600), "write %s", name)
}

// writeCertificate makes a certificate of the API with a serial number.
func (a *apiTest) writeCertificate(t *testing.T, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err, "make a key")
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{apiHost}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err, "make a certificate")
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err, "encode a key")
	a.write(t, "tls.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
	a.write(t, "tls.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}))
}

// web returns a client that reaches the API by its name, and trusts its certificate alone.
func (a *apiTest) web(t *testing.T) *http.Client {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(a.folder, "tls.crt"))
	must(t, err, "read the certificate of the API")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(content)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, a.server.address)
		},
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		// Each client is used once.
		DisableKeepAlives: true,
	}
	return &http.Client{Transport: transport}
}

// call sends a request by the pipeline of the published SDK, with its policy of tokens, and returns the answer's body.
func (a *apiTest) call(t *testing.T, method, path string, body io.ReadSeekCloser) (string, error) {
	t.Helper()
	pipeline := runtime.NewPipeline("orders", "v1", runtime.PipelineOptions{
		PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(a, []string{apiAudience + "/.default"}, nil)},
	}, &policy.ClientOptions{Transport: a.web(t), Retry: policy.RetryOptions{MaxRetries: -1}})
	request, err := runtime.NewRequest(t.Context(), method, "https://"+apiHost+path)
	must(t, err, "make a request")
	if body != nil {
		must(t, request.SetBody(body, "application/octet-stream"), "set the body of a request")
	}
	response, err := pipeline.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		return "", runtime.NewResponseError(response)
	}
	content, err := runtime.Payload(response)
	return string(content), err
}

// send sends a request as it is.
func (a *apiTest) send(t *testing.T, method, path, authorization string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "https://"+apiHost+path, http.NoBody)
	must(t, err, "make a request")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := a.web(t).Do(request)
	must(t, err, "send a request")
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	must(t, err, "read an answer")
	return response.StatusCode, response.Header, string(content)
}

// assign gives a principal an app role, and waits until the controller has looked at it.
func (a *apiTest) assign(t *testing.T, principal v1alpha1.AssignedPrincipal, role v1alpha1.RoleName, api string) *v1alpha1.RoleAssignment {
	t.Helper()
	assignment := &v1alpha1.RoleAssignment{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.home.name, GenerateName: "role-"},
		Spec:       v1alpha1.RoleAssignmentSpec{Principal: principal, Role: role, Scope: v1alpha1.AssignmentScope{API: api}},
	}
	a.create(t, assignment)
	eventually(t, "the assignment has a condition", func() error {
		if err := a.Get(t.Context(), client.ObjectKeyFromObject(assignment), assignment); err != nil {
			return err
		}
		if len(assignment.Status.Conditions) == 0 {
			return fmt.Errorf("status = %+v", assignment.Status)
		}
		return nil
	})
	return assignment
}

func (a *apiTest) identity() v1alpha1.AssignedPrincipal {
	return v1alpha1.AssignedPrincipal{Identity: a.home.identity.Name}
}

var _ azcore.TokenCredential = (*apiTest)(nil)

// orderDocument describes orderService.
const orderDocument = `
openapi: 3.0.3
info: {title: Orders, version: "1"}
components:
  securitySchemes:
    entra: {type: openIdConnect, openIdConnectUrl: https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration}
security:
  - entra: [Orders.Read]
paths:
  /health:
    get: {operationId: health, security: [], responses: {"200": {description: It is well.}}}
  /orders:
    get: {operationId: listOrders, responses: {"200": {description: The names of orders.}}}
  /orders/{name}:
    parameters: [{name: name, in: path, required: true, schema: {type: string}}]
    get: {operationId: getOrder, responses: {"200": {description: An order.}}}
    put: {operationId: putOrder, security: [{entra: [Orders.Write]}], responses: {"201": {description: It is kept.}}}
  /orders/{name}/size:
    parameters: [{name: name, in: path, required: true, schema: {type: string}}]
    post: {operationId: measureOrder, security: [{entra: [Orders.Write]}], responses: {"200": {description: How many bytes were sent.}}}
`

// orderService keeps orders, and has an operation that its document does not have.
type orderService struct {
	*httptest.Server
	mu     sync.Mutex
	orders map[string]string

	// callers are the object IDs that the gate has named, by method and path.
	callers map[string]string
	wiped   bool
}

func startOrderService(t *testing.T) *orderService {
	t.Helper()
	s := &orderService{orders: map[string]string{}, callers: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(writer http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(writer, "well") })
	mux.HandleFunc("GET /orders", s.list)
	mux.HandleFunc("GET /orders/{name}", s.get)
	mux.HandleFunc("PUT /orders/{name}", s.put)
	mux.HandleFunc("POST /orders/{name}/size", func(writer http.ResponseWriter, request *http.Request) {
		size, _ := io.Copy(io.Discard, request.Body)
		_, _ = fmt.Fprint(writer, size)
	})
	mux.HandleFunc("DELETE /orders", func(http.ResponseWriter, *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wiped = true
	})
	s.Server = httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		s.mu.Lock()
		s.callers[request.Method+" "+request.URL.Path] = request.Header.Get("X-MS-CLIENT-PRINCIPAL-ID")
		s.mu.Unlock()
		mux.ServeHTTP(writer, request)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *orderService) list(writer http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.NewEncoder(writer).Encode(s.orders)
}

func (s *orderService) get(writer http.ResponseWriter, request *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(writer, s.orders[request.PathValue("name")])
}

func (s *orderService) put(writer http.ResponseWriter, request *http.Request) {
	content, _ := io.ReadAll(request.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[request.PathValue("name")] = string(content)
	writer.WriteHeader(http.StatusCreated)
}

// caller returns the object ID that the service was told.
func (s *orderService) caller(request string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.callers[request]
}

// body returns a body of text.
func body(text string) io.ReadSeekCloser { return nopCloser{strings.NewReader(text)} }

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }
