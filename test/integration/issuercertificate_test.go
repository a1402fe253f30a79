package integration

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/controllers"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
)

func TestIssuerGetsItsCertificate(t *testing.T) {
	t.Parallel()
	controller := needController(t)
	serving, err := certificate.KeepServing(impersonate(issuer()), certificate.IssuerSigner, issuerNames, controller.trust.Latest(), logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	start(t, serving.Start)
	var pair *tls.Certificate
	eventually(t, func(context.Context) string {
		if pair, err = serving.GetCertificate(nil); err != nil {
			return err.Error()
		}
		return ""
	})
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(controller.trust.Bundle(t.Context())) {
		t.Fatal("the authority has no certificate")
	}
	for _, name := range issuerNames {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := pair.Leaf.VerifyHostname(oidcNames[0]); err == nil {
		t.Errorf("the certificate is valid for %s", oidcNames[0])
	}
}

func TestOtherUsersGetNoCertificate(t *testing.T) {
	t.Parallel()
	needController(t)
	unbound := issuer()
	unbound.Extra = nil
	other := issuer()
	// An administrator may create the request, but is not an issuer.
	other.UserName, other.Groups = "mallory", append(other.Groups, "system:masters")
	for _, test := range []struct {
		name    string
		user    rest.ImpersonationConfig
		dnsName string
		message string
	}{
		{"an administrator", other, issuerNames[0], "only " + serviceAccount("issuer") + " may ask for it, not mallory"},
		{"an issuer's token without a pod", unbound, issuerNames[0], "not bound to a pod"},
		{"an issuer, for another Service", issuer(), oidcNames[0], `not "` + oidcNames[0] + `"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			csr := newCSR(t, certificate.IssuerSigner, test.dnsName)
			if err := as(t, test.user).Create(t.Context(), csr); err != nil {
				t.Fatal(err)
			}
			denied := awaitCSR(t, csr, certificatesv1.CertificateDenied)
			if !strings.Contains(denied.Message, test.message) {
				t.Errorf("message = %q, want it to contain %q", denied.Message, test.message)
			}
			if len(csr.Status.Certificate) > 0 {
				t.Error("a certificate was issued")
			}
		})
	}
}

// An administrator approved the request before the controller saw it. Approved requests cannot be denied.
func TestRequestApprovedByOthersIsNotSigned(t *testing.T) {
	t.Parallel()
	needServer(t)
	// Of another signer, so that the running controller ignores it.
	csr := create(t, newCSR(t, "kube-imds.io/approved-by-others", issuerNames[0]))
	csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Test",
	}}
	if err := admin.SubResource("approval").Update(t.Context(), csr); err != nil {
		t.Fatal(err)
	}
	reconciler := &controllers.IssuerCertificateReconciler{
		Client: admin, Rules: map[string]controllers.IssuerCertificateRule{csr.Spec.SignerName: issuerRules[certificate.IssuerSigner]}, Sign: func(context.Context, *x509.Certificate) (*x509.Certificate, error) {
			t.Error("the request is signed")
			return nil, x509.ErrUnsupportedAlgorithm
		},
	}
	for range 2 {
		if _, err := reconciler.Reconcile(t.Context(), requestFor(csr)); err != nil {
			t.Fatal(err)
		}
	}
	awaitCSR(t, csr, certificatesv1.CertificateFailed)
}

// A cache that is behind shows requests that were decided or signed already. That is no error, and changes nothing.
func TestRequestsOfACacheThatIsBehindAreLeftAlone(t *testing.T) {
	t.Parallel()
	controller := needController(t)
	// Of another signer, so that the running controller ignores it.
	csr := newCSR(t, "kube-imds.io/cache-behind", issuerNames[0])
	if err := as(t, issuer()).Create(t.Context(), csr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Delete(context.Background(), csr) })
	rule := issuerRules[certificate.IssuerSigner]
	rule.NodeName = nil
	cache := &behind{Client: admin}
	reconciler := &controllers.IssuerCertificateReconciler{
		Client: cache, Sign: controller.trust.Sign, Rules: map[string]controllers.IssuerCertificateRule{csr.Spec.SignerName: rule},
	}
	created := csr.DeepCopy()
	eventually(t, func(ctx context.Context) string {
		// The authority may not have its key yet.
		if _, err := reconciler.Reconcile(ctx, requestFor(csr)); err != nil {
			return err.Error()
		}
		return ""
	})
	awaitCSR(t, csr, certificatesv1.CertificateApproved)
	signed := csr.DeepCopy()
	if len(signed.Status.Certificate) == 0 {
		t.Fatal("the request is not signed")
	}
	approved := signed.DeepCopy()
	approved.Status.Certificate, approved.ResourceVersion = nil, created.ResourceVersion
	for name, request := range map[string]*certificatesv1.CertificateSigningRequest{"created": created, "approved": approved} {
		cache.request = request
		if _, err := reconciler.Reconcile(t.Context(), requestFor(csr)); err != nil {
			t.Errorf("seen as it was when %s: %v", name, err)
		}
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(csr), csr); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(signed.Status, csr.Status); diff != "" {
		t.Errorf("the request was changed (-before +after)\n%s", diff)
	}
}

// behind is a client that reads a request as it was.
type behind struct {
	client.Client
	request *certificatesv1.CertificateSigningRequest
}

func (b *behind) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if request, ok := into.(*certificatesv1.CertificateSigningRequest); ok && b.request != nil {
		b.request.DeepCopyInto(request)
		return nil
	}
	return b.Client.Get(ctx, key, into, options...)
}

// issuer returns the user of the token of an issuer's pod.
func issuer() rest.ImpersonationConfig {
	made := user(serviceAccount("issuer"))
	made.Extra = map[string][]string{
		"authentication.kubernetes.io/pod-name":  {"kube-imds-issuer-abcde"},
		"authentication.kubernetes.io/node-name": {"node-1"},
	}
	return made
}

func newCSR(t *testing.T, signer, dnsName string) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: dnsName}, DNSNames: []string{dnsName},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			SignerName: signer,
			Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}),
		},
	}
}

// awaitCSR waits for a condition of a request.
func awaitCSR(t *testing.T, csr *certificatesv1.CertificateSigningRequest, kind certificatesv1.RequestConditionType) certificatesv1.CertificateSigningRequestCondition {
	t.Helper()
	var found certificatesv1.CertificateSigningRequestCondition
	eventually(t, func(ctx context.Context) string {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(csr), csr); err != nil {
			return err.Error()
		}
		for _, condition := range csr.Status.Conditions {
			if condition.Type == kind {
				found = condition
				return ""
			}
		}
		return csr.Name + " is not " + string(kind)
	})
	return found
}

// start runs a function until the test ends, and waits for its end.
func start(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx)
		close(ended)
	}()
	stop = func() {
		cancel()
		if err, ok := <-ended; ok && err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}
