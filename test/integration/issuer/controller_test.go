package issuer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kube-imds/kube-imds/controllers"
	"github.com/kube-imds/kube-imds/internal/identifier"
	"github.com/kube-imds/kube-imds/internal/oidc"
)

const (
	tenant     = "28a37578-cd01-54f5-804a-52ef0695644e"
	oidcURL    = "https://kube-imds-oidc.kube-imds-system.svc"
	issuerHost = "kube-imds-issuer.kube-imds-system.svc"
)

// controller is what issuers need of the controller: its own reconcilers, and its JWKS.
type controller struct {
	authority authority
	documents http.Handler
}

func (c *cluster) startController(t *testing.T, kinds *runtime.Scheme) *controller {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	manager, err := ctrl.NewManager(c.config, ctrl.Options{
		Scheme: kinds, Metrics: metricsserver.Options{BindAddress: "0"}, Logger: logr.Discard(),
	})
	must(t, err, "make the controller")
	made := &controller{authority: newAuthority(t)}
	api := manager.GetClient()
	made.documents = (&oidc.Documents{
		BaseURL: oidcURL, DefaultTenant: tenant, Source: oidc.Cluster{Reader: api}, Now: time.Now, Log: logr.Discard(),
	}).Handler()
	for _, reconciler := range []interface {
		SetupWithManager(ctrl.Manager) error
	}{
		&controllers.ManagedIdentityReconciler{Client: api, Events: manager.GetEventRecorder(release), Defaults: identifier.Defaults{
			TenantID: tenant, SubscriptionID: "subscription", ResourceGroup: "group",
		}},
		&controllers.SigningKeyReconciler{Client: api, Live: manager.GetAPIReader(), Now: time.Now},
		&controllers.IssuerCertificateReconciler{Client: api, Sign: made.authority.sign, Rules: controllers.IssuerCertificateRules(
			"system:serviceaccount:"+namespace+":kube-imds-issuer", []string{issuerHost, issuerHost + ".cluster.local"}, "http://authority/ca.cer",
		)},
	} {
		must(t, reconciler.SetupWithManager(manager), "set up the controller")
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error("run the controller:", err)
		}
	})
	return made
}

// jwks is what validators see.
func (c *controller) jwks(t *testing.T) jose.JSONWebKeySet {
	t.Helper()
	recorder := httptest.NewRecorder()
	c.documents.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+tenant+"/discovery/v2.0/keys", nil))
	var set jose.JSONWebKeySet
	decode(t, recorder.Body.Bytes(), &set)
	return set
}

// authority signs serving certificates, as the controller's own does.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err, "make the authority's key")
	made := authority{key: key}
	made.certificate = &x509.Certificate{
		Subject: pkix.Name{CommonName: release}, PublicKey: key.Public(),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	made.certificate, err = made.sign(made.certificate)
	must(t, err, "make the authority's certificate")
	return made
}

func (a authority) sign(template *x509.Certificate) (*x509.Certificate, error) {
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(24*time.Hour)
	signed, err := x509.CreateCertificate(rand.Reader, template, a.certificate, template.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(signed)
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}
