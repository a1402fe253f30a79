package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestGate(t *testing.T) {
	a := startAPI(t)
	for _, one := range []struct {
		name string
		run  func(*testing.T, *apiTest)
	}{
		{"TokenAloneOpensNothing", testAPITokenAlone},
		{"AppRoles", testAppRoles},
		{"Refusals", testAPIRefusals},
		{"BigBody", testAPIBigBody},
		{"CertificateIsReadAgain", testAPICertificate},
		{"ReadsAssignmentsAlone", testGateReadsAssignmentsAlone},
		{"WrongSettings", testGateWrongSettings},
	} {
		if !t.Run(one.name, func(t *testing.T) { one.run(t, a) }) {
			break
		}
	}
}

func testAPITokenAlone(t *testing.T, a *apiTest) {
	_, err := a.call(t, http.MethodGet, "/orders", nil)
	wantError(t, err, http.StatusForbidden, "AuthorizationFailed", string(a.home.identity.Status.PrincipalID), "Orders.Read")
	eventually(t, "the refusal is in the audit log", func() error {
		for line := range strings.Lines(a.server.log.String()) {
			if strings.Contains(line, `"operation":"listOrders"`) && strings.Contains(line, `"status":403`) &&
				strings.Contains(line, string(a.home.identity.Status.PrincipalID)) {
				return nil
			}
		}
		return errors.New("it is not")
	})
	if status, _, text := a.send(t, http.MethodGet, "/health", ""); status != http.StatusOK || text != "well" {
		t.Errorf("a public operation: got %d %s", status, text)
	}
}

func testAppRoles(t *testing.T, a *apiTest) {
	principal := a.home.identity.Status.PrincipalID
	write := a.assign(t, a.identity(), "Orders.Write", "orders")
	ready := apimeta.FindStatusCondition(write.Status.Conditions, v1alpha1.ConditionReady)
	if ready.Status != "True" || write.Status.PrincipalID != principal || !strings.Contains(ready.Message, "--api=orders") {
		t.Errorf("status = %+v", write.Status)
	}
	a.assign(t, v1alpha1.AssignedPrincipal{ObjectID: principal}, "Orders.Read", "bills")
	absent := a.assign(t, v1alpha1.AssignedPrincipal{Identity: "absent"}, "Orders.Read", "orders")
	ready = apimeta.FindStatusCondition(absent.Status.Conditions, v1alpha1.ConditionReady)
	if ready.Reason != v1alpha1.ReasonIdentityNotFound || absent.Status.PrincipalID != "" {
		t.Errorf("status = %+v", absent.Status)
	}

	eventually(t, "the role takes effect", func() error {
		_, err := a.call(t, http.MethodPut, "/orders/one%20more", body("tea"))
		return err
	})
	if got := a.service.caller("PUT /orders/one more"); got != string(principal) {
		t.Errorf("the service is told that the caller is %q", got)
	}
	_, err := a.call(t, http.MethodGet, "/orders/one%20more", nil)
	wantError(t, err, http.StatusForbidden, "AuthorizationFailed")

	read := a.assign(t, v1alpha1.AssignedPrincipal{ObjectID: principal}, "Orders.Read", "orders")
	eventually(t, "the second role takes effect", func() error {
		text, err := a.call(t, http.MethodGet, "/orders/one%20more", nil)
		if err == nil && text != "tea" {
			err = fmt.Errorf("got %s", text)
		}
		return err
	})
	// What the document does not have, the service does not see.
	_, err = a.call(t, http.MethodDelete, "/orders", nil)
	wantError(t, err, http.StatusMethodNotAllowed, "MethodNotAllowed")
	if a.service.wiped {
		t.Error("the service carries out what its document does not have")
	}

	a.delete(t, read)
	eventually(t, "the role is gone", func() error {
		_, err := a.call(t, http.MethodGet, "/orders", nil)
		if failed, ok := errors.AsType[*azcore.ResponseError](err); !ok || failed.StatusCode != http.StatusForbidden {
			return fmt.Errorf("want it to be forbidden, got: %w", err)
		}
		return nil
	})

	// An assignment that names another identity since the controller has looked at it gives nothing to the former one.
	before := client.MergeFrom(write.DeepCopy())
	write.Spec.Principal = v1alpha1.AssignedPrincipal{Identity: "absent"}
	must(t, a.Patch(t.Context(), write, before), "change the assignment")
	eventually(t, "the changed assignment gives nothing", func() error {
		_, err := a.call(t, http.MethodPut, "/orders/two", body("tea"))
		if failed, ok := errors.AsType[*azcore.ResponseError](err); !ok || failed.StatusCode != http.StatusForbidden {
			return fmt.Errorf("want it to be forbidden, got: %w", err)
		}
		return nil
	})
}

func testAPIRefusals(t *testing.T, a *apiTest) {
	right, err := a.tokenFor(t.Context(), apiAudience)
	must(t, err, "get a token")
	foreign, err := a.tokenFor(t.Context(), storageResource)
	must(t, err, "get a token of another audience")
	parts := strings.Split(right, ".")
	for name, test := range map[string]struct {
		path, authorization string
		status              int
		code                string
	}{
		"none":             {"/orders", "", 401, "AuthenticationFailed"},
		"another audience": {"/orders", "Bearer " + foreign, 401, "InvalidAuthenticationTokenAudience"},
		"tampered":         {"/orders", "Bearer " + parts[0] + "." + parts[1][:len(parts[1])-2] + "AA." + parts[2], 401, "InvalidAuthenticationToken"},
		"none as alg":      {"/orders", "Bearer eyJhbGciOiJub25lIn0." + parts[1] + ".", 401, "InvalidAuthenticationToken"},
		"too long":         {"/orders", "Bearer " + strings.Repeat("a", 15<<10), 401, "InvalidAuthenticationToken"},
		"upwards":          {"/orders/..%2fhealth", "Bearer " + right, 400, "InvalidUri"},
		"no such path":     {"/bills", "Bearer " + right, 404, "ResourceNotFound"},
	} {
		status, header, text := a.send(t, http.MethodGet, test.path, test.authorization)
		if status != test.status || header.Get("x-ms-error-code") != test.code || !strings.Contains(text, `{"error":{"code":"`+test.code+`"`) {
			t.Errorf("%s: got %d %s %s", name, status, header.Get("x-ms-error-code"), text)
		}
		challenge := `Bearer authorization_uri="` + oidcURL + "/" + tenant + `", resource="` + apiAudience + `"`
		if status == http.StatusUnauthorized && !strings.HasPrefix(header.Get("WWW-Authenticate"), challenge) {
			t.Errorf("%s: challenge = %s", name, header.Get("WWW-Authenticate"))
		}
	}
	if strings.Contains(a.server.log.String(), right) || strings.Contains(a.server.log.String(), parts[2]) {
		t.Error("the gate's log has a token")
	}
}

// zeros is a body of many bytes that nobody holds.
type zeros struct{ left, size int64 }

func (z *zeros) Read(into []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(into)), z.left)
	clear(into[:n])
	z.left -= n
	return int(n), nil
}

// Seek implements io.Seeker for the SDK, which goes to the end and back.
func (z *zeros) Seek(offset int64, whence int) (int64, error) {
	at := map[int]int64{io.SeekStart: 0, io.SeekCurrent: z.size - z.left, io.SeekEnd: z.size}[whence] + offset
	z.left = z.size - at
	return at, nil
}

func (z *zeros) Close() error { return nil }

func testAPIBigBody(t *testing.T, a *apiTest) {
	const size = 256 << 20
	a.assign(t, a.identity(), "Orders.Write", "orders")
	eventually(t, "the role takes effect", func() error {
		_, err := a.call(t, http.MethodPost, "/orders/small/size", body("tea"))
		return err
	})
	before := a.server.peak(t)
	got, err := a.call(t, http.MethodPost, "/orders/big/size", &zeros{size, size})
	if err != nil || got != fmt.Sprint(size) {
		t.Errorf("got %q, error %v", got, err)
	}
	if after := a.server.peak(t); after > before+16<<10 {
		t.Errorf("the gate's memory grew from %d to %d KiB", before, after)
	}
}

func testAPICertificate(t *testing.T, a *apiTest) {
	a.writeCertificate(t, 2)
	eventually(t, "the API has its new certificate", func() error {
		response, err := a.web(t).Get("https://" + apiHost + "/health")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if serial := response.TLS.PeerCertificates[0].SerialNumber.Int64(); serial != 2 {
			return fmt.Errorf("the serial number is %d", serial)
		}
		return nil
	})
}

// The role that the documentation has people bind opens nothing else.
func testGateReadsAssignmentsAlone(t *testing.T, a *apiTest) {
	config, err := clientcmd.BuildConfigFromFlags("", a.kubeconfig(t, a.pod, a.config.Host))
	must(t, err, "read a kubeconfig")
	gate, err := client.New(config, client.Options{Scheme: a.Scheme()})
	must(t, err, "make a client")
	var assignments v1alpha1.RoleAssignmentList
	must(t, gate.List(t.Context(), &assignments, client.InNamespace(a.home.name)), "list the role assignments")
	for name, err := range map[string]error{
		"role assignments elsewhere": gate.List(t.Context(), &assignments, client.InNamespace("default")),
		"identities":                 gate.List(t.Context(), &v1alpha1.ManagedIdentityList{}),
		"vaults":                     gate.List(t.Context(), &v1alpha1.KeyVaultList{}, client.InNamespace(a.home.name)),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

// What cannot be served safely is refused at the start, with the way out.
func testGateWrongSettings(t *testing.T, a *apiTest) {
	a.write(t, "open.yaml", []byte(strings.Replace(orderDocument, "security:\n  - entra: [Orders.Read]\n", "", 1)))
	a.write(t, "empty.crt", nil)
	for name, test := range map[string]struct {
		arguments []string
		message   string
	}{
		"plain HTTP":           {[]string{"--tls=", "--listen=:8443"}, "give --tls"},
		"a service elsewhere":  {[]string{"--backend=http://10.0.0.7:8080"}, "it must be http://127.0.0.1:PORT"},
		"a service by name":    {[]string{"--backend=http://localhost:8080"}, "it must be http://127.0.0.1:PORT"},
		"a service's path":     {[]string{"--backend=http://127.0.0.1:8080/v1"}, "it must be http://127.0.0.1:PORT"},
		"no name":              {[]string{"--api="}, "--api, --namespace"},
		"an empty audience":    {[]string{"--audience=,"}, "--audience are needed"},
		"no authorities":       {[]string{"--trust-file=" + a.folder + "/empty.crt"}, "mount the ConfigMap kube-imds-trust"},
		"no certificate":       {[]string{"--tls=" + t.TempDir()}, "read the certificate of the API"},
		"an open operation":    {[]string{"--openapi=" + a.folder + "/open.yaml"}, "GET /orders: it does not say who may call it"},
		"no OpenAPI document":  {[]string{"--openapi=" + a.folder + "/tls.key"}, "read the OpenAPI document"},
		"no file of that name": {[]string{"--openapi=" + a.folder + "/absent"}, "read the OpenAPI document"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		command := exec.CommandContext(ctx, buildPart(t, "gate"), a.arguments(append([]string{"--tenant-id=" + tenant}, test.arguments...)...)...)
		command.Env = append(os.Environ(), "KUBECONFIG="+a.kubeconfig(t, a.pod, a.config.Host))
		output, err := command.CombinedOutput()
		cancel()
		if failed, ok := errors.AsType[*exec.ExitError](err); !ok || failed.ExitCode() != 1 || !strings.Contains(string(output), test.message) {
			t.Errorf("%s: error %v, output\n%s", name, err, output)
		}
	}
}
