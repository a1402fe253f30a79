package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/kube-imds/kube-imds/controllers"
	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/cluster/uninjected"
	"github.com/kube-imds/kube-imds/internal/identifier"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/pki/authority"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
)

const (
	release   = "kube-imds"
	namespace = "kube-imds-system"
	chartPath = "../../charts/kube-imds"
)

var (
	caKey       = client.ObjectKey{Namespace: namespace, Name: release + "-ca"}
	oidcNames   = []string{"kube-imds-oidc.kube-imds-system.svc"}
	issuerNames = []string{
		"kube-imds-issuer.kube-imds-system.svc", "kube-imds-issuer.kube-imds-system.svc.cluster.local",
		"node-1.kube-imds-issuer.kube-imds-system.svc",
	}
	issuerRules = controllers.IssuerCertificateRules(install.Names{Name: release, Namespace: namespace}, func(*azurehost.Kind, string) bool { return false })
	defaults    = identifier.Defaults{
		TenantID:       "9a0c8c4c-d5cb-5dc9-a40c-37f3e01c7c4b",
		SubscriptionID: "28a37578-cd01-54f5-804a-52e2cb8f9e10",
		ResourceGroup:  "kube-imds",
	}
)

// controller is the manager that runs all reconcilers for all tests, with the rights of the chart's controller.
var controller = &runningManager{}

type runningManager struct {
	once    sync.Once
	err     error
	skip    error
	cancel  context.CancelFunc
	stopped chan error

	trust   *authority.Authority
	serving *certificate.Kept
	cache   client.Client
}

// needController starts the reconcilers, once for all tests.
func needController(t *testing.T) *runningManager {
	t.Helper()
	needServer(t)
	controller.once.Do(func() { controller.skip, controller.err = controller.start() })
	if controller.err != nil {
		t.Fatal("start the reconcilers:", controller.err)
	}
	if controller.skip != nil {
		t.Skip("this test needs helm to render the chart's rights; set HELM to its path:", controller.skip)
	}
	return controller
}

func (m *runningManager) start() (skip, err error) {
	helm, err := exec.LookPath(cmp.Or(os.Getenv("HELM"), "helm"))
	if err != nil {
		return err, nil
	}
	if err := installObjects(helm); err != nil {
		return nil, err
	}
	manager, err := ctrl.NewManager(impersonate(user(serviceAccount("controller"))), ctrl.Options{
		Scheme:  kinds,
		Cache:   cacheOptions(),
		Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	m.cache = manager.GetClient()
	m.trust = authority.New(m.cache, manager.GetAPIReader(), authorityOptions(caKey))
	m.serving = certificate.Keep(certificate.Wanted{
		Names: certificate.Always(oidcNames), NewKey: certificate.NewECDSA, Issue: m.trust.Issue, Authorities: m.trust.Latest(),
	}, logr.Discard())
	if err := errors.Join(manager.Add(m.serving), addReconcilers(manager, m.trust)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel, m.stopped = cancel, make(chan error, 1)
	go func() { m.stopped <- manager.Start(ctx) }()
	return nil, nil
}

func (m *runningManager) stop() {
	if m.cancel == nil {
		return
	}
	m.cancel()
	if err := <-m.stopped; err != nil {
		fmt.Fprintln(os.Stderr, "stop the reconcilers:", err)
	}
}

func authorityOptions(object client.ObjectKey) authority.Options {
	names := install.Names{Name: release, Namespace: namespace}
	return authority.Options{
		Object: object, Domains: names.Served(), URL: names.AuthorityURL(), Now: time.Now,
		Policy: keyring.Policy{Every: authority.LongestTerm, Ahead: 24 * time.Hour},
	}
}

func addReconcilers(manager ctrl.Manager, trust *authority.Authority) error {
	api, recorder, counts := manager.GetClient(), manager.GetEventRecorder(release), &uninjected.Counts{}
	return errors.Join(
		controllers.Index(context.Background(), manager.GetFieldIndexer(), defaults),
		trust.SetupWithManager(manager),
		(&controllers.ManagedIdentityReconciler{
			Client: api, Events: recorder, Defaults: defaults, WorkloadIdentity: true, Uninjected: counts,
		}).SetupWithManager(manager),
		(&controllers.IdentityBindingReconciler{Client: api, Events: recorder, Uninjected: counts}).SetupWithManager(manager),
		(&controllers.UninjectedReconciler{
			Client: api, Events: recorder, Counts: counts, Found: 300 * time.Millisecond, NotFound: 300 * time.Millisecond,
			Counter: &uninjected.Counter{Reader: manager.GetAPIReader(), Pages: rate.NewLimiter(100, 100), WorkloadIdentity: true},
		}).SetupWithManager(manager),
		(&controllers.IssuerCertificateReconciler{Client: api, Rules: issuerRules, Sign: trust.Sign}).SetupWithManager(manager),
		(&controllers.TrustReconciler{
			Client: api, Authority: trust, Capabilities: capability.Store{Client: api, Key: caKey}, Name: release, Now: time.Now,
		}).SetupWithManager(manager),
		(&controllers.NamespaceTrustReconciler{
			Client: api, Bundle: trust.Bundle, Names: install.Names{Name: release, Namespace: namespace},
		}).SetupWithManager(manager),
	)
}

// cacheOptions limits the caches to the chart's rights.
func cacheOptions() cache.Options {
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	inNamespace := map[string]cache.Config{namespace: {}}
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&corev1.Secret{}:    {Namespaces: inNamespace, Field: named(caKey.Name), Transform: authority.StripKey},
		&corev1.ConfigMap{}: {Namespaces: inNamespace, Field: named(caKey.Name)},
		&admissionregistrationv1.MutatingWebhookConfiguration{}:   {Field: named(release)},
		&admissionregistrationv1.ValidatingWebhookConfiguration{}: {Field: named(release)},
		&certificatesv1.CertificateSigningRequest{}: {
			Field: fields.OneTermEqualSelector("spec.signerName", certificate.IssuerSigner)},
	}}
}

// installObjects creates the chart's objects that the reconcilers need: rights, the objects that they fill in, and the webhooks'
// configurations, which admit everything because they have no server here.
func installObjects(helm string) error {
	command := exec.Command(helm, "template", release, chartPath, "--namespace", namespace, "--kube-version", "1.37.2")
	manifest, err := command.Output()
	if err != nil {
		return fmt.Errorf("render the chart: %w", err)
	}
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := admin.Create(context.Background(), system); err != nil {
		return fmt.Errorf("make the namespace: %w", err)
	}
	for document := range strings.SplitSeq("\n"+string(manifest), "\n---\n") {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			return fmt.Errorf("read the chart: %w", err)
		}
		switch object.GetKind() {
		case "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Secret", "ConfigMap":
		case "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding":
			if object.GetName() != release+"-webhooks" {
				continue
			}
		case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
			for _, hook := range object.Object["webhooks"].([]any) {
				hook.(map[string]any)["failurePolicy"] = "Ignore"
			}
		default:
			continue
		}
		if err := admin.Create(context.Background(), &object); err != nil {
			return fmt.Errorf("make the chart's %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// serviceAccount returns the user name of a part's ServiceAccount.
func serviceAccount(part string) string {
	return "system:serviceaccount:" + namespace + ":" + release + "-" + part
}

// user returns the user of a ServiceAccount's token.
func user(name string) rest.ImpersonationConfig {
	return rest.ImpersonationConfig{
		UserName: name, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
}
