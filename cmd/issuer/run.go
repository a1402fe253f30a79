package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/issuer"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuer/signerclient"
	"github.com/kube-imds/kube-imds/internal/issuer/watched"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/logging"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
	"github.com/kube-imds/kube-imds/internal/published"
	"github.com/kube-imds/kube-imds/internal/server"
)

func (o options) names() install.Names { return install.Names{Name: o.name, Namespace: o.namespace} }

// run wires the issuer and runs it until the context ends.
func run(ctx context.Context, o options) error {
	// The audit log is complete whatever the level of the rest.
	audit, err := logging.New("info")
	if err != nil {
		return err
	}
	mgr, err := newManager(o)
	if err != nil {
		return err
	}
	metrics.Registry.MustRegister(slices.Concat(
		issuer.Collectors(), watched.Collectors(), workload.Collectors(), server.Collectors())...)
	changes := directory.NewChanges()
	watches, err := watch(ctx, mgr, changes)
	if err != nil {
		return err
	}

	source, err := workload.NewAPIServer(mgr.GetConfig(), "issuer")
	if err != nil {
		return err
	}
	keys := workload.NewKeys(source, ctrl.Log.WithName("workload-keys"))
	roots := &cabundle.Latest{}
	signer := signerclient.New(signerclient.Options{
		URL: o.names().URL("signer"), Address: o.signerAddress, TokenFile: o.signerTokenFile, Roots: roots.Pool,
	})
	known := &published.Latest{Log: ctrl.Log.WithName("signing-keys")}
	minter := mint.NewCache(&mint.Signer{
		Client: signer, IsPublished: func(id string) bool { return known.Current().Has(id) }, Changes: changes,
	}, time.Now)
	known.OnChange = func(_, now *published.Published) {
		minter.KeepSignedBy(now.Has)
		changes.Notify()
	}
	keysWatch, err := published.NewWatch(mgr.GetConfig(), o.names().Keys(), known.Tell)
	if err != nil {
		return err
	}
	rootsWatch, err := published.NewWatch(mgr.GetConfig(), o.names().CA(), roots.Tell)
	if err != nil {
		return err
	}
	services := o.names().Services("issuer")
	serving, err := certificate.KeepServing(mgr.GetConfig(), certificate.IssuerSigner,
		append(services, issuerapi.NodeHost(o.nodeName, services[0])), roots, ctrl.Log.WithName("certificate"))
	if err != nil {
		return err
	}
	api := &issuer.Server{
		NodeName:      o.nodeName,
		Authenticator: workload.NewAuthenticator(keys, issuerapi.Audience, time.Now).Within(issuerapi.TokenSeconds * time.Second),
		Directory:     &directory.Directory{Source: watches, Changes: changes},
		Attestations:  signer,
		Revocations:   func() int64 { return known.Current().RevokedTimes() },
		Minters:       mint.Minters{v1alpha1.TokenSourceLocal: minter},
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
	for _, part := range []manager.Runnable{
		watches, keys, keysWatch, rootsWatch, serving, minter,
		// The write timeout covers held requests for a grant.
		server.New(o.listen, api.Handler(), serving.GetCertificate, issuerapi.GrantWaitSeconds*time.Second+10*time.Second,
			server.WithBounds(bounds), server.HTTP1Only()),
	} {
		if err := mgr.Add(part); err != nil {
			return fmt.Errorf("put the issuer together: %w", err)
		}
	}
	if err := server.AddChecks(mgr, map[string]func() bool{
		"workload-keys": keys.Ready, "certificate": serving.Ready, "authority": roots.Ready,
		"published-keys": func() bool { return known.Current() != nil }, "watches": watches.Ready,
	}); err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run the issuer: %w", err)
	}
	return nil
}

// newManager returns a manager whose caches hold the node's own pods and its Node.
func newManager(o options) (manager.Manager, error) {
	kinds, err := scheme.New()
	if err != nil {
		return nil, err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                 kinds,
		Cache:                  issuer.CacheOptions(o.nodeName, time.Now),
		Metrics:                server.MetricsOptions(o.metricsAddress),
		HealthProbeBindAddress: o.healthAddress,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return mgr, nil
}

// watch starts to watch the node's pods and Node, and returns the watches of what the pods depend on.
func watch(ctx context.Context, mgr manager.Manager, changes *directory.Changes) (*watched.Watches, error) {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, directory.PodUIDIndex, directory.IndexPodUID); err != nil {
		return nil, fmt.Errorf("index the pods: %w", err)
	}
	api, err := watched.NewAPI(mgr.GetConfig(), mgr.GetHTTPClient(), mgr.GetScheme())
	if err != nil {
		return nil, err
	}
	watches := watched.New(directory.Caches{Reader: mgr.GetClient()}, api, changes, ctrl.Log.WithName("watches"))
	pods, err := mgr.GetCache().GetInformer(ctx, &corev1.Pod{})
	if err != nil {
		return nil, fmt.Errorf("watch the pods: %w", err)
	}
	if _, err := pods.AddEventHandler(watches.Handler()); err != nil {
		return nil, fmt.Errorf("watch the pods: %w", err)
	}
	if _, err := mgr.GetCache().GetInformer(ctx, &corev1.Node{}); err != nil {
		return nil, fmt.Errorf("watch the Node: %w", err)
	}
	return watches, nil
}
