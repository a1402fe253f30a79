package issuer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kube-imds/kube-imds/controllers"
	"github.com/kube-imds/kube-imds/internal/cabundle"
	"github.com/kube-imds/kube-imds/internal/identifier"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/oidc"
	"github.com/kube-imds/kube-imds/internal/published"
)

const (
	tenant     = "28a37578-cd01-54f5-804a-52ef0695644e"
	oidcURL    = "https://kube-imds-oidc.kube-imds-system.svc"
	issuerHost = "kube-imds-issuer.kube-imds-system.svc"
)

var names = install.Names{Name: release, Namespace: namespace}

// controller is what issuers and signers need of the controller: its own reconcilers, and its authority.
type controller struct {
	authority authority
}

func (c *cluster) startController(t *testing.T, kinds *runtime.Scheme) *controller {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	manager, err := ctrl.NewManager(c.config, ctrl.Options{
		Scheme: kinds, Metrics: metricsserver.Options{BindAddress: "0"}, Logger: logr.Discard(),
	})
	must(t, err, "make the controller")
	made := &controller{authority: newAuthority(t)}
	c.handOut(t, made.authority)
	api := manager.GetClient()
	for _, reconciler := range []interface {
		SetupWithManager(ctrl.Manager) error
	}{
		&controllers.ManagedIdentityReconciler{Client: api, Events: manager.GetEventRecorder(release), Defaults: identifier.Defaults{
			TenantID: tenant, SubscriptionID: "subscription", ResourceGroup: "group",
		}},
		&controllers.IssuerCertificateReconciler{Client: api, Sign: made.authority.sign, Rules: controllers.IssuerCertificateRules(
			controllers.CertificateNames{Username: names.Username, ServiceNames: names.Services, AuthorityURL: "http://authority/ca.cer"},
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

// handOut gives everybody the authority's certificate.
func (c *cluster) handOut(t *testing.T, authority authority) {
	t.Helper()
	var config corev1.ConfigMap
	must(t, c.Get(t.Context(), names.CA(), &config), "read the authority's ConfigMap")
	config.Data = map[string]string{cabundle.Key: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.certificate.Raw}))}
	must(t, c.Update(t.Context(), &config), "hand out the authority's certificate")
}

// published is what the signer has published.
func (c *cluster) published(t *testing.T) *published.Published {
	t.Helper()
	var config corev1.ConfigMap
	must(t, c.Get(t.Context(), names.Keys(), &config), "read what is published")
	known, err := published.Read(config.Data)
	must(t, err, "read what is published")
	return known
}

// jwks is what validators see.
func (c *cluster) jwks(t *testing.T) jose.JSONWebKeySet {
	t.Helper()
	documents := &oidc.Documents{
		BaseURL: oidcURL, DefaultTenant: tenant, Now: time.Now, Log: logr.Discard(),
		Published: func() *published.Published { return c.published(t) },
	}
	recorder := httptest.NewRecorder()
	documents.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+tenant+"/discovery/v2.0/keys", nil))
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
