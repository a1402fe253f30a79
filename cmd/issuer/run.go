package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/certificate"
	"github.com/kube-imds/kube-imds/internal/issuer"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/logging"
	"github.com/kube-imds/kube-imds/internal/scheme"
	"github.com/kube-imds/kube-imds/internal/server"
	"github.com/kube-imds/kube-imds/internal/token"
	"github.com/kube-imds/kube-imds/internal/workload"
)

// run puts the issuer together and runs it until the context ends.
func run(ctx context.Context, o options) error {
	// Who was given a token is on record whatever level the rest of the log has.
	audit, err := logging.New("info")
	if err != nil {
		return err
	}
	manager, err := newManager(o)
	if err != nil {
		return err
	}
	changes := issuer.NewChanges()
	if err := watch(ctx, manager, changes); err != nil {
		return err
	}

	source, err := newKeySource(manager.GetConfig())
	if err != nil {
		return err
	}
	keys := workload.NewKeys(source, ctrl.Log.WithName("workload-keys"))
	ring := token.NewRing(time.Now)
	minter := issuer.NewCachingMinter(&issuer.LocalMinter{
		Ring:    ring,
		Issuers: token.Issuers{BaseURL: fmt.Sprintf("https://%s-oidc.%s.svc", o.name, o.namespace), EntraResources: o.entraResources},
		Now:     time.Now,
	}, time.Now)
	registrar := &issuer.Registrar{
		Ring: ring, NodeName: o.nodeName, Reader: manager.GetClient(), Writer: manager.GetClient(),
		Changes: changes, OnKeyChange: minter.Clear, Now: time.Now, Log: ctrl.Log.WithName("signing-keys"),
	}
	service := fmt.Sprintf("%s-issuer.%s.svc", o.name, o.namespace)
	serving, err := certificate.NewServing(manager.GetConfig(), []string{
		service, service + ".cluster.local", issuerapi.NodeHost(o.nodeName, service),
	})
	if err != nil {
		return err
	}
	directory := &issuer.Directory{Reader: manager.GetClient(), Changes: changes}
	attestation, err := certificate.NewAttestation(manager.GetConfig(), func(ctx context.Context) ([]string, error) {
		return directory.AttestationNames(ctx, o.nodeName, o.metadata)
	}, ctrl.Log.WithName("attestation"))
	if err != nil {
		return err
	}
	api := &issuer.Server{
		NodeName:      o.nodeName,
		Authenticator: workload.NewAuthenticator(keys, issuerapi.Audience, time.Now).Within(issuerapi.TokenSeconds * time.Second),
		Directory:     directory,
		Attestations:  &attested.Signer{Current: attestation.Current, Now: time.Now},
		Minters:       issuer.Minters{v1alpha1.TokenSourceLocal: minter},
		Metadata:      o.metadata,
		AnyAddress:    o.anyAddress,
		Limits:        issuer.NewLimits(o.podLimits, time.Now),
		Log:           audit.WithName("audit"),
		Now:           time.Now,
		Stopping:      ctx.Done(),
	}
	bounds := server.NodeBounds
	if o.anyAddress {
		bounds = bounds.WithoutSources()
	}
	for _, part := range []interface {
		Start(context.Context) error
	}{
		keys, registrar, serving, attestation,
		// A request for a grant is held, and the answer to it must still go out.
		server.New(o.listen, api.Handler(), serving.GetCertificate, issuerapi.GrantWaitSeconds*time.Second+10*time.Second,
			server.WithBounds(bounds), server.HTTP1Only()),
	} {
		if err := manager.Add(part); err != nil {
			return fmt.Errorf("put the issuer together: %w", err)
		}
	}
	if err := addChecks(manager, map[string]func() bool{
		"workload-keys": keys.Ready, "signing-key": registrar.Ready, "certificate": serving.Ready,
	}); err != nil {
		return err
	}
	if err := manager.Start(ctx); err != nil {
		return fmt.Errorf("run the issuer: %w", err)
	}
	return nil
}

// newManager makes a manager whose caches hold what this node's pods hang on: the node's own pods, Node and signing
// keys, and of ServiceAccounts and namespaces no more than what a grant hangs on.
func newManager(o options) (manager.Manager, error) {
	kinds, err := scheme.New()
	if err != nil {
		return nil, err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                 kinds,
		Cache:                  issuer.CacheOptions(o.nodeName, time.Now),
		Metrics:                server.MetricsOptions(o.metricsAddress),
		HealthProbeBindAddress: o.healthAddress,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return manager, nil
}

// watch starts to watch all that a token hangs on, and tells of changes.
func watch(ctx context.Context, manager manager.Manager, changes *issuer.Changes) error {
	if err := manager.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, issuer.PodUIDIndex, issuer.IndexPodUID); err != nil {
		return fmt.Errorf("index the pods: %w", err)
	}
	for _, object := range []client.Object{
		&corev1.Pod{}, &corev1.Node{}, &v1alpha1.ManagedIdentity{}, &v1alpha1.IdentityBinding{}, &v1alpha1.SigningKey{},
		issuer.Metadata("ServiceAccount"), issuer.Metadata("Namespace"),
	} {
		informer, err := manager.GetCache().GetInformer(ctx, object)
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
		if _, err := informer.AddEventHandler(changes.Handler()); err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
	}
	// No token hangs on load balancers, so nobody waits for their changes.
	if _, err := manager.GetCache().GetInformer(ctx, &corev1.Service{}); err != nil {
		return fmt.Errorf("watch the load balancers: %w", err)
	}
	return nil
}

func addChecks(manager manager.Manager, ready map[string]func() bool) error {
	if err := manager.AddHealthzCheck("ping", func(*http.Request) error { return nil }); err != nil {
		return fmt.Errorf("add the health check: %w", err)
	}
	for name, isReady := range ready {
		err := manager.AddReadyzCheck(name, func(*http.Request) error {
			if !isReady() {
				return fmt.Errorf("%s is not ready", name)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("add the readiness check: %w", err)
		}
	}
	return nil
}

// keySource reads documents of the API server.
type keySource struct{ client rest.Interface }

func newKeySource(config *rest.Config) (keySource, error) {
	client, err := rest.UnversionedRESTClientFor(rest.AddUserAgent(withCodec(config), "kube-imds-issuer"))
	if err != nil {
		return keySource{}, fmt.Errorf("make a client for the cluster's keys: %w", err)
	}
	return keySource{client}, nil
}

// Read fetches a path.
func (s keySource) Read(ctx context.Context, path string) ([]byte, error) {
	return s.client.Get().AbsPath(path).DoRaw(ctx)
}

func withCodec(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	return config
}
