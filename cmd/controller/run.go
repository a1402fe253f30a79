package main

import (
	"context"
	"crypto/tls"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/controllers"
	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/cluster/slim"
	"github.com/kube-imds/kube-imds/internal/cluster/uninjected"
	"github.com/kube-imds/kube-imds/internal/identifier"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/pki/authority"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
	"github.com/kube-imds/kube-imds/internal/process"
	"github.com/kube-imds/kube-imds/internal/server"
	"github.com/kube-imds/kube-imds/webhook"
)

// run wires the controller and runs it until the context ends.
func run(ctx context.Context, o options) error {
	var (
		serving      *certificate.Kept
		capabilities capability.Store
	)
	mgr, err := newManager(o, webhook.NewServer(o.webhookPort,
		func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return serving.GetCertificate(hello) },
		func(ctx context.Context) capability.Set { return capabilities.Good(ctx) }))
	if err != nil {
		return err
	}
	capabilities = capability.Store{Client: mgr.GetClient(), Key: o.Names.CA()}
	trust := authority.New(mgr.GetClient(), mgr.GetAPIReader(), authority.Options{
		Object: o.Names.CA(), Domains: o.domains(), URL: o.Names.AuthorityURL(),
		Policy: o.authority, Now: time.Now,
	})
	serving = certificate.Keep(certificate.Wanted{
		Names: certificate.Always(o.Names.Services(install.Webhook)), NewKey: certificate.NewECDSA,
		Issue: trust.Issue, Authorities: trust.Latest(),
	}, ctrl.Log.WithName("certificate"))

	if err := controllers.Index(ctx, mgr.GetFieldIndexer(), o.defaults()); err != nil {
		return err
	}
	for _, kind := range o.served() {
		if err := kind.Index(ctx, mgr.GetFieldIndexer()); err != nil {
			return err
		}
	}
	if err := addReconcilers(mgr, o, trust, capabilities); err != nil {
		return err
	}
	metrics.Registry.MustRegister(slices.Concat(webhook.Collectors(), server.Collectors(),
		[]prometheus.Collector{&controllers.Inventory{Reader: mgr.GetClient()}})...)
	if err := o.webhook(trust).SetupWithManager(mgr); err != nil {
		return err
	}
	return process.Run(ctx, mgr, []manager.Runnable{serving}, map[string]healthz.Checker{
		"certificate": process.While(serving.Ready),
		"webhook":     mgr.GetWebhookServer().StartedChecker(),
		"trust":       once(trustChecker{mgr.GetClient(), o.Names.Name, trust, capabilities}.check),
	})
}

// defaults are those of identities that do not say otherwise.
func (o options) defaults() identifier.Defaults {
	return identifier.Defaults{TenantID: v1alpha1.GUID(o.tenantID), SubscriptionID: o.subscriptionID, ResourceGroup: o.resourceGroup}
}

func (o options) webhook(trust *authority.Authority) webhook.Options {
	return webhook.Options{
		SidecarImage:     o.sidecarImage,
		ImagePullPolicy:  corev1.PullPolicy(o.sidecarImagePullPolicy),
		SidecarResources: o.sidecarResources.ResourceRequirements,
		NetInitResources: o.netInitResources.ResourceRequirements,
		SidecarLogLevel:  o.LogLevel,
		AzureLimits:      o.sidecarAzureLimits,
		Interception:     o.sidecarInterception,
		SidecarPort:      int32(o.sidecarPort),
		IssuerURL:        o.Names.URL(install.Issuer),
		CABundle:         trust.Bundle,
		TrustName:        o.Names.Trust(),
		AzureServices:    o.azureServices(),

		WorkloadIdentity: o.workloadIdentity,
		TokenEndpoint:    o.tokenEndpoint,
		AzureEnvironment: o.azureEnvironment,
		TenantID:         o.tenantID,
	}
}

// domains returns those that the authority may sign for.
func (o options) domains() []string {
	return slices.Concat(o.Names.Served(), attested.Domains(), o.publicVaultHosts, o.publicStorageHosts)
}

// served returns the kinds of resources that this installation serves.
func (o options) served() []*azurehost.Kind {
	var kinds []*azurehost.Kind
	if o.keyVault {
		kinds = append(kinds, azurehost.KeyVaults)
	}
	if o.storage {
		kinds = append(kinds, azurehost.StorageAccounts)
	}
	return kinds
}

// azureServices returns the Services behind which they are.
func (o options) azureServices() map[*azurehost.Kind]client.ObjectKey {
	services := map[*azurehost.Kind]client.ObjectKey{}
	for _, kind := range o.served() {
		services[kind] = client.ObjectKey{Namespace: o.Names.Namespace, Name: o.Names.ServiceAccount(kind.Part)}
	}
	return services
}

// newManager returns a manager whose caches hold no more of other kinds than is needed.
func newManager(o options, webhookServer ctrlwebhook.Server) (manager.Manager, error) {
	return o.NewManager(ctrl.Options{
		Cache:                         o.cache(),
		LeaderElection:                true,
		LeaderElectionID:              o.Names.Name + "-controller",
		LeaderElectionNamespace:       o.Names.Namespace,
		LeaderElectionReleaseOnCancel: true,
		// The process ends when it loses its lease, and the webhook with it, so a short outage of the API server must not
		// cost the lease. A planned shutdown releases it at once.
		LeaseDuration: new(60 * time.Second),
		RenewDeadline: new(45 * time.Second),
		RetryPeriod:   new(5 * time.Second),
		WebhookServer: webhookServer,
	})
}

func (o options) cache() cache.Options {
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	inNamespace := map[string]cache.Config{o.Names.Namespace: {}}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:    {Namespaces: inNamespace, Field: named(o.Names.CA().Name), Transform: authority.StripKey},
			&corev1.ConfigMap{}: {Namespaces: inNamespace, Field: named(o.Names.CA().Name)},
			&admissionregistrationv1.MutatingWebhookConfiguration{}:   {Field: named(o.Names.Name)},
			&admissionregistrationv1.ValidatingWebhookConfiguration{}: {Field: named(o.Names.Name)},
			&corev1.ServiceAccount{}:                                  {Transform: slim.Metadata},
			&corev1.Namespace{}:                                       {Transform: slim.Metadata},
			&v1alpha1.ManagedIdentity{}:                               {Transform: slim.Bare},
			&v1alpha1.IdentityBinding{}:                               {Transform: slim.Bare},
			&v1alpha1.KeyVault{}:                                      {Transform: slim.Bare},
			&v1alpha1.StorageAccount{}:                                {Transform: slim.Bare},
			&v1alpha1.RoleAssignment{}:                                {Transform: slim.Bare},
			&certificatesv1.CertificateSigningRequest{}: {
				Transform: slim.CertificateSigningRequest(
					certificate.IssuerSigner, certificate.SignerSigner, certificate.OIDCSigner, certificate.KeyVaultSigner,
					certificate.StorageSigner, certificate.AttestationSigner)},
		},
	}
}

// reconciler is one of the controller's.
type reconciler interface {
	SetupWithManager(manager ctrl.Manager) error
}

// publicHosts returns what decides which host names of Azure the resources of each kind have.
func (o options) publicHosts(trust *authority.Authority) []controllers.PublicHosts {
	certified := func(host string) bool {
		bundle := trust.Latest().Bundle()
		// Before it is known nothing is decided anew. What is signed is checked by the authority itself.
		return len(bundle) == 0 || authority.Permits(bundle[0], host)
	}
	allowed := map[*azurehost.Kind][]string{azurehost.KeyVaults: o.publicVaultHosts, azurehost.StorageAccounts: o.publicStorageHosts}
	var all []controllers.PublicHosts
	for _, kind := range o.served() {
		all = append(all, controllers.PublicHosts{Kind: kind, Allowed: allowed[kind], Certified: certified})
	}
	return all
}

func addReconcilers(mgr manager.Manager, o options, trust *authority.Authority, capabilities capability.Store) error {
	api, recorder := mgr.GetClient(), mgr.GetEventRecorder("kube-imds")
	var counts *uninjected.Counts
	var all []reconciler
	if o.countUninjected {
		counts = &uninjected.Counts{}
		metrics.Registry.MustRegister(counts)
		all = append(all, &controllers.UninjectedReconciler{
			Client: api, Events: recorder, Counts: counts, Found: time.Minute, NotFound: 5 * time.Minute,
			Counter: &uninjected.Counter{Reader: mgr.GetAPIReader(), Pages: rate.NewLimiter(5, 50), WorkloadIdentity: o.workloadIdentity},
		})
	}
	hosts := o.publicHosts(trust)
	for _, one := range hosts {
		all = append(all, &controllers.ResourceReconciler{Client: api, Services: mgr.GetAPIReader(), Events: recorder, Names: o.Names, Hosts: one})
	}
	if len(hosts) > 0 || o.apis {
		all = append(all, &controllers.RoleAssignmentReconciler{Client: api, Events: recorder})
	}
	isPublicHost := func(kind *azurehost.Kind, host string) bool {
		return slices.ContainsFunc(hosts, func(one controllers.PublicHosts) bool { return one.Kind == kind && one.Holds(api, host) })
	}
	for _, reconciler := range append(all,
		&controllers.ManagedIdentityReconciler{
			Client: api, Events: recorder, Uninjected: counts, WorkloadIdentity: o.workloadIdentity, Federated: o.federated,
			Defaults: o.defaults(),
		},
		&controllers.IdentityBindingReconciler{Client: api, Events: recorder, Uninjected: counts},
		trust,
		&controllers.IssuerCertificateReconciler{Client: api, Sign: trust.Sign, Rules: controllers.IssuerCertificateRules(o.Names, isPublicHost)},
		&controllers.TrustReconciler{Client: api, Authority: trust, Capabilities: capabilities, Name: o.Names.Name, Now: time.Now},
		&controllers.NamespaceTrustReconciler{Client: api, Bundle: trust.Bundle, Names: o.Names},
	) {
		if err := reconciler.SetupWithManager(mgr); err != nil {
			return err
		}
	}
	return nil
}
