package issuer

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kube-imds/kube-imds/controllers"
	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/identifier"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/oidc"
	"github.com/kube-imds/kube-imds/internal/pki/authority"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/published"
)

const (
	tenant     = "28a37578-cd01-54f5-804a-52ef0695644e"
	oidcURL    = "https://kube-imds-oidc.kube-imds-system.svc"
	issuerHost = "kube-imds-issuer.kube-imds-system.svc"
)

// publicDomains are the domains of which vaults and storage accounts may have host names.
var publicDomains = []string{"vault.azure.net", "blob.core.windows.net", "queue.core.windows.net", "orders.table.core.windows.net"}

var names = install.Names{Name: release, Namespace: namespace}

// controller holds the controller's reconcilers and its authority, which issuers and signers need.
type controller struct {
	authority *authority.CA
}

func (c *cluster) startController(t *testing.T, kinds *runtime.Scheme) *controller {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	manager, err := ctrl.NewManager(c.config, ctrl.Options{
		Scheme: kinds, Metrics: metricsserver.Options{BindAddress: "0"}, Logger: logr.Discard(),
		// Each test that starts a cluster starts another controller in this process.
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	must(t, err, "make the controller")
	made := &controller{authority: newCA(t)}
	c.handOut(t, made.bundle())
	defaults := identifier.Defaults{TenantID: tenant, SubscriptionID: "subscription", ResourceGroup: "group"}
	must(t, controllers.Index(t.Context(), manager.GetFieldIndexer(), defaults), "index what reconcilers look up")
	api := manager.GetClient()
	type reconciler interface {
		SetupWithManager(manager ctrl.Manager) error
	}
	var resources []reconciler
	hosts := map[*azurehost.Kind]controllers.PublicHosts{}
	for _, kind := range azurehost.Kinds {
		must(t, kind.Index(t.Context(), manager.GetFieldIndexer()), "index the resources")
		hosts[kind] = controllers.PublicHosts{
			Kind: kind, Allowed: publicDomains, Certified: func(host string) bool { return authority.Permits(made.authority.Certificate, host) },
		}
		resources = append(resources, &controllers.ResourceReconciler{
			Client: api, Services: manager.GetAPIReader(), Events: manager.GetEventRecorder(release), Names: names, Hosts: hosts[kind],
		})
	}
	isPublicHost := func(kind *azurehost.Kind, host string) bool { return hosts[kind].Holds(api, host) }
	for _, reconciler := range append(resources,
		&controllers.ManagedIdentityReconciler{Client: api, Events: manager.GetEventRecorder(release), Federated: true, Defaults: defaults},
		&controllers.RoleAssignmentReconciler{Client: api, Events: manager.GetEventRecorder(release)},
		&controllers.IssuerCertificateReconciler{Client: api, Sign: made.sign, Rules: controllers.IssuerCertificateRules(names, isPublicHost)},
	) {
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

// handOut publishes the authority's certificate.
func (c *cluster) handOut(t *testing.T, bundle cabundle.Bundle) {
	t.Helper()
	var config corev1.ConfigMap
	must(t, c.Get(t.Context(), names.CA(), &config), "read the authority's ConfigMap")
	config.Data = map[string]string{cabundle.Key: string(bundle.PEM())}
	must(t, c.Update(t.Context(), &config), "publish the authority's certificate")
}

// published returns the signer's published state.
func (c *cluster) published(t *testing.T) *published.Published {
	t.Helper()
	var config corev1.ConfigMap
	must(t, c.Get(t.Context(), names.Keys(), &config), "read the published state")
	known, err := published.Read(config.Data)
	must(t, err, "parse the published state")
	return known
}

// jwks returns the JWKS that validators get.
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

// newCA returns an authority like the controller's.
func newCA(t *testing.T) *authority.CA {
	t.Helper()
	made, err := authority.NewCA(slices.Concat(names.Served(), attested.Domains(), publicDomains), time.Now())
	must(t, err, "make the authority")
	return made
}

func (c *controller) sign(_ context.Context, template *x509.Certificate) (*x509.Certificate, error) {
	return c.authority.Sign(template, names.AuthorityURL(), time.Now())
}

func (c *controller) bundle() cabundle.Bundle { return cabundle.Bundle{c.authority.Certificate} }
