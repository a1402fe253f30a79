package issuer

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

const (
	vaultDomain   = "vault." + namespace + ".svc"
	vaultResource = "https://" + vaultDomain
)

// vaultTest is a vault that a real server serves, and a pod whose identity may be given roles there.
type vaultTest struct {
	*issuerProcess
	home   home
	bearer string // the pod's
	server *part
	vault  *v1alpha1.KeyVault
}

func startVault(t *testing.T) *vaultTest {
	t.Helper()
	c := startClusterOn(t, startAPIServer(t), "keyVault.enabled=true")
	c.startSigner(t)
	v := &vaultTest{issuerProcess: c.startIssuer(t, "node-1")}
	v.home = v.newHome(t)
	v.bearer = v.issuerProcess.bearer(t, v.home.newPod(t, "orders", "node-1"))
	v.grantedTo(t, v.bearer, vaultResource)
	oidc := c.startPart(t, "oidc", "--authority-address="+freeAddresses(t, 1)[0])
	v.server = c.startPart(t, "keyvault", "--data-namespace="+namespace+"-vaults", "--location=local", "--oidc-address="+oidc.address)
	v.vault = &v1alpha1.KeyVault{ObjectMeta: metav1.ObjectMeta{Namespace: v.home.name, Name: "orders"}, Spec: v1alpha1.KeyVaultSpec{SoftDeleteRetentionInDays: 7}}
	v.create(t, v.vault)
	eventually(t, "the vault is ready", func() error {
		if err := v.Get(t.Context(), client.ObjectKeyFromObject(v.vault), v.vault); err != nil {
			return err
		}
		if v.vault.Status.URI != "https://orders."+vaultDomain {
			return fmt.Errorf("status = %+v", v.vault.Status)
		}
		return nil
	})
	return v
}

// assign gives the pod's identity a role, at one secret or at the whole vault.
func (v *vaultTest) assign(t *testing.T, role v1alpha1.RoleName, secret string) *v1alpha1.RoleAssignment {
	t.Helper()
	assignment := &v1alpha1.RoleAssignment{
		ObjectMeta: metav1.ObjectMeta{Namespace: v.home.name, GenerateName: "role-"},
		Spec: v1alpha1.RoleAssignmentSpec{
			Principal: v1alpha1.AssignedPrincipal{Identity: v.home.identity.Name}, Role: role,
			Scope: v1alpha1.AssignmentScope{KeyVault: v.vault.Name, Secret: secret},
		},
	}
	v.create(t, assignment)
	return assignment
}

// GetToken asks the issuer for a token, as the application does by 169.254.169.254.
func (v *vaultTest) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	resource, found := strings.CutSuffix(options.Scopes[0], "/.default")
	if !found || len(options.Scopes) != 1 {
		return azcore.AccessToken{}, fmt.Errorf("scopes = %q", options.Scopes)
	}
	token, err := v.tokenFor(ctx, resource)
	return azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(30 * time.Minute)}, err
}

// tokenFor returns a token for a resource.
func (v *vaultTest) tokenFor(ctx context.Context, resource string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+issuerHost+issuerapi.TokenPath, strings.NewReader(`{"resource":"`+resource+`"}`))
	if err != nil {
		return "", err
	}
	a, err := v.do(request, v.bearer)
	if err != nil {
		return "", err
	}
	var response issuerapi.TokenResponse
	if err := json.Unmarshal([]byte(a.body), &response); err != nil || a.status != http.StatusOK {
		return "", fmt.Errorf("the issuer answers %d %s", a.status, a.body)
	}
	return response.AccessToken, nil
}

// send sends a request with an Authorization header, and returns its status, headers and body.
func (v *vaultTest) send(t *testing.T, method, path, authorization, body string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, v.vault.Status.URI+path, strings.NewReader(body))
	must(t, err, "make a request")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := v.web().Do(request)
	must(t, err, "send a request")
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	must(t, err, "read an answer")
	return response.StatusCode, response.Header, string(content)
}

// web returns a client that reaches the vaults by their names.
func (v *vaultTest) web() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, v.server.address)
		},
		TLSClientConfig: &tls.Config{RootCAs: v.controller.bundle().Pool(), MinVersion: tls.VersionTLS12},
	}}
}

// client returns a client of the published SDK with default settings.
func (v *vaultTest) client(t *testing.T) *azsecrets.Client {
	t.Helper()
	return v.clientOf(t, v.vault.Status.URI)
}

// clientOf returns a client for a vault's URL.
func (v *vaultTest) clientOf(t *testing.T, url string) *azsecrets.Client {
	t.Helper()
	made, err := azsecrets.NewClient(url, v, &azsecrets.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport: v.web(), Retry: policy.RetryOptions{MaxRetries: -1},
	}})
	must(t, err, "make a client")
	return made
}

// wantError checks the status and a part of an error of the SDK.
func wantError(t *testing.T, err error, status int, parts ...string) {
	t.Helper()
	failed, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok || failed.StatusCode != status {
		t.Errorf("error = %v, want status %d", err, status)
		return
	}
	for _, part := range parts {
		if !strings.Contains(failed.Error(), part) {
			t.Errorf("error misses %q: %v", part, failed)
		}
	}
}
