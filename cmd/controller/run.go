package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/controllers"
	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/cluster/slim"
	"github.com/kube-imds/kube-imds/internal/identifier"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/pki/authority"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
	"github.com/kube-imds/kube-imds/internal/server"
	"github.com/kube-imds/kube-imds/webhook"
)

// run wires the controller and runs it until the context ends.
func run(ctx context.Context, o options) error {
	var (
		serving      *certificate.Kept
		capabilities capability.Store
	)
	manager, err := newManager(o, webhook.NewServer(o.webhookPort,
		func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return serving.GetCertificate(hello) },
		func(ctx context.Context) capability.Set { return capabilities.Good(ctx) }))
	if err != nil {
		return err
	}
	capabilities = capability.Store{Client: manager.GetClient(), Key: o.names().CA()}
	trust := authority.New(manager.GetClient(), manager.GetAPIReader(), authority.Options{
		Object: o.names().CA(), Domains: append(o.names().Served(), attested.Domains()...), URL: o.names().AuthorityURL(),
		Policy: o.authority, Now: time.Now,
	})
	serving = certificate.Keep(certificate.Wanted{
		Names: certificate.Always(o.names().Services("webhook")), NewKey: certificate.NewECDSA,
		Issue: trust.Issue, Authorities: trust.Latest(),
	}, ctrl.Log.WithName("certificate"))

	if err := addReconcilers(manager, o, trust, capabilities); err != nil {
		return err
	}
	metrics.Registry.MustRegister(slices.Concat(webhook.Collectors(), server.Collectors(),
		[]prometheus.Collector{&controllers.Inventory{Reader: manager.GetClient()}})...)
	if err := o.webhook(trust).SetupWithManager(manager); err != nil {
		return err
	}
	if err := manager.Add(serving); err != nil {
		return fmt.Errorf("put the controller together: %w", err)
	}
	if err := addChecks(manager, o, trust, serving, capabilities); err != nil {
		return err
	}
	if err := manager.Start(ctx); err != nil {
		return fmt.Errorf("run the controller: %w", err)
	}
	return nil
}

func (o options) names() install.Names { return install.Names{Name: o.name, Namespace: o.namespace} }

func (o options) webhook(trust *authority.Authority) webhook.Options {
	return webhook.Options{
		SidecarImage:     o.sidecarImage,
		ImagePullPolicy:  corev1.PullPolicy(o.sidecarImagePullPolicy),
		SidecarResources: o.sidecarResources.ResourceRequirements,
		NetInitResources: o.netInitResources.ResourceRequirements,
		SidecarLogLevel:  o.logLevel,
		AzureLimits:      o.sidecarAzureLimits,
		Interception:     o.sidecarInterception,
		SidecarPort:      int32(o.sidecarPort),
		IssuerURL:        o.names().URL("issuer"),
		CABundle:         trust.Bundle,
		TrustName:        o.names().Trust(),
	}
}

// newManager returns a manager whose caches hold no more of other kinds than is needed.
func newManager(o options, webhookServer ctrlwebhook.Server) (manager.Manager, error) {
	kinds, err := scheme.New()
	if err != nil {
		return nil, err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        kinds,
		Cache:                         o.cache(),
		Metrics:                       server.MetricsOptions(o.metricsAddress),
		HealthProbeBindAddress:        o.healthAddress,
		LeaderElection:                true,
		LeaderElectionID:              o.name + "-controller",
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true,
		// The process ends when it loses its lease, and the webhook with it, so a short outage of the API server must not
		// cost the lease. A planned shutdown releases it at once.
		LeaseDuration: new(60 * time.Second),
		RenewDeadline: new(45 * time.Second),
		RetryPeriod:   new(5 * time.Second),
		WebhookServer: webhookServer,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return manager, nil
}

func (o options) cache() cache.Options {
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	inNamespace := map[string]cache.Config{o.namespace: {}}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:    {Namespaces: inNamespace, Field: named(o.names().CA().Name), Transform: authority.StripKey},
			&corev1.ConfigMap{}: {Namespaces: inNamespace, Field: named(o.names().CA().Name)},
			&admissionregistrationv1.MutatingWebhookConfiguration{}:   {Field: named(o.name)},
			&admissionregistrationv1.ValidatingWebhookConfiguration{}: {Field: named(o.name)},
			&corev1.ServiceAccount{}:                                  {Transform: slim.Metadata},
			&corev1.Namespace{}:                                       {Transform: slim.Metadata},
			&v1alpha1.ManagedIdentity{}:                               {Transform: slim.Bare},
			&v1alpha1.IdentityBinding{}:                               {Transform: slim.Bare},
			&certificatesv1.CertificateSigningRequest{}: {
				Transform: slim.CertificateSigningRequest(
					certificate.IssuerSigner, certificate.SignerSigner, certificate.OIDCSigner, certificate.AttestationSigner)},
		},
	}
}

func addReconcilers(manager manager.Manager, o options, trust *authority.Authority, capabilities capability.Store) error {
	api := manager.GetClient()
	recorder := manager.GetEventRecorder("kube-imds")
	for _, reconciler := range []interface {
		SetupWithManager(ctrl.Manager) error
	}{
		&controllers.ManagedIdentityReconciler{Client: api, Events: recorder, Defaults: identifier.Defaults{
			TenantID: v1alpha1.GUID(o.tenantID), SubscriptionID: o.subscriptionID, ResourceGroup: o.resourceGroup,
		}},
		&controllers.IdentityBindingReconciler{Client: api, Events: recorder},
		trust,
		&controllers.IssuerCertificateReconciler{Client: api, Sign: trust.Sign, Rules: controllers.IssuerCertificateRules(
			controllers.CertificateNames{Username: o.names().Username, ServiceNames: o.names().Services})},
		&controllers.TrustReconciler{Client: api, Authority: trust, Capabilities: capabilities, Name: o.name, Now: time.Now},
		&controllers.NamespaceTrustReconciler{Client: api, Bundle: trust.Bundle, Names: o.names()},
	} {
		if err := reconciler.SetupWithManager(manager); err != nil {
			return err
		}
	}
	return nil
}

// addChecks makes a replica ready when the API server can call its webhook: it has a certificate whose authority the API
// server trusts.
func addChecks(manager manager.Manager, o options, trust *authority.Authority, serving *certificate.Kept, capabilities capability.Store) error {
	checks := map[string]func(*http.Request) error{
		"certificate": func(*http.Request) error {
			if !serving.Ready() {
				return errors.New("there is no serving certificate yet")
			}
			return nil
		},
		"webhook": manager.GetWebhookServer().StartedChecker(),
		"trust": once(func(request *http.Request) error {
			return checkTrust(request.Context(), manager.GetClient(), o.name, trust, capabilities)
		}),
	}
	for name, check := range checks {
		if err := manager.AddReadyzCheck(name, check); err != nil {
			return fmt.Errorf("add the readiness check: %w", err)
		}
	}
	if err := manager.AddHealthzCheck("ping", func(*http.Request) error { return nil }); err != nil {
		return fmt.Errorf("add the health check: %w", err)
	}
	return nil
}

// once passes forever after the check has passed: nobody can take out a serving replica by removing the webhook's
// configuration.
func once(check func(*http.Request) error) func(*http.Request) error {
	var passed atomic.Bool
	return func(request *http.Request) error {
		if passed.Load() {
			return nil
		}
		err := check(request)
		if err == nil {
			passed.Store(true)
		}
		return err
	}
}

func checkTrust(ctx context.Context, reader client.Reader, name string, trust *authority.Authority, capabilities capability.Store) error {
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := reader.Get(ctx, client.ObjectKey{Name: name}, &configuration); err != nil {
		return fmt.Errorf("read the webhook's configuration: %w", err)
	}
	bundle, good := string(trust.Bundle(ctx)), capabilities.Good(ctx)
	for _, hook := range configuration.Webhooks {
		if bundle == "" || string(hook.ClientConfig.CABundle) != bundle {
			return errors.New("the API server does not trust the webhook yet")
		}
		if service := hook.ClientConfig.Service; service == nil || service.Path == nil || !good.AdmitsPath(*service.Path) {
			return errors.New("the webhook would not let the API server in yet")
		}
	}
	return nil
}
