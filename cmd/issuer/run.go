package main

import (
	"context"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/configmap"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/disruption"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/issuer"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuer/signerclient"
	"github.com/kube-imds/kube-imds/internal/issuer/view"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/logging"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
	"github.com/kube-imds/kube-imds/internal/process"
	"github.com/kube-imds/kube-imds/internal/published"
	"github.com/kube-imds/kube-imds/internal/server"
)

// run wires the issuer and runs it until the context ends.
func run(ctx context.Context, o options) error {
	audit, err := logging.Audit()
	if err != nil {
		return err
	}
	mgr, err := o.NewManager(ctrl.Options{})
	if err != nil {
		return err
	}
	metrics.Registry.MustRegister(slices.Concat(
		issuer.Collectors(), view.Collectors(), workload.Collectors(), server.Collectors())...)
	changes := directory.NewChanges()
	source, err := workload.NewAPIServer(mgr.GetConfig(), "issuer")
	if err != nil {
		return err
	}
	keys := workload.NewKeys(source, ctrl.Log.WithName("workload-keys"))
	roots := &cabundle.Latest{}
	signer := signerclient.New(signerclient.Options{
		URL: o.Names.URL(install.Signer), Address: o.signerAddress, TokenFile: o.signerTokenFile, Roots: roots.Pool,
	})
	node := view.New(signer.View, changes, disruption.NewTaintTimes(time.Now), ctrl.Log.WithName("view"))
	known := &published.Latest{Log: ctrl.Log.WithName("signing-keys")}
	minter := mint.NewCache(&mint.Signer{
		Client: signer, IsPublished: func(id string) bool { return known.Current().Has(id) }, Changes: changes,
	}, time.Now)
	known.OnChange = func(_, now *published.Published) {
		minter.KeepSignedBy(now.Has)
		changes.Notify()
	}
	keysWatch, err := configmap.NewWatch(mgr.GetConfig(), o.Names.Keys(), known.Update)
	if err != nil {
		return err
	}
	rootsWatch, err := configmap.NewWatch(mgr.GetConfig(), o.Names.CA(), roots.Update)
	if err != nil {
		return err
	}
	services := o.Names.Services(install.Issuer)
	serving, err := certificate.KeepServing(mgr.GetConfig(), certificate.IssuerSigner,
		append(services, issuerapi.NodeHost(o.nodeName, services[0])), roots, ctrl.Log.WithName("certificate"))
	if err != nil {
		return err
	}
	pods := workload.NewAuthenticator(keys, issuerapi.Audience, time.Now).Within(issuerapi.TokenSeconds * time.Second)
	entraMinter, entraParts, err := newEntraMinter(o, signer, pods)
	if err != nil {
		return err
	}
	api := &issuer.Server{
		NodeName:      o.nodeName,
		Authenticator: pods,
		Directory:     &directory.Directory{Source: node, Changes: changes},
		Attestations:  signer,
		Asserter:      mint.NewAssertions(signer, time.Now),
		Revocations:   func() int64 { return known.Current().RevokedTimes() },
		Minters:       mint.Minters{v1alpha1.TokenSourceLocal: minter, v1alpha1.TokenSourceEntra: entraMinter},
		Metadata:      o.metadata,
		AnyAddress:    o.anyAddress,
		Limits:        issuer.NewLimits(o.podLimits, time.Now),
		Log:           audit,
		Now:           time.Now,
		Stopping:      ctx.Done(),
	}
	if o.tokenEndpoint {
		api.Assertions = workload.NewAuthenticator(keys, entra.CloudOf(o.metadata.Environment).Audience, time.Now).Within(issuer.AssertionLife)
	}
	bounds := server.NodeBounds
	if o.anyAddress {
		bounds = bounds.WithoutSources()
	}
	return process.Run(ctx, mgr, append(entraParts,
		node, keys, keysWatch, rootsWatch, serving, minter,
		// The write timeout covers held requests for a grant.
		server.New(o.listen, api.Handler(), serving.GetCertificate, issuerapi.GrantWaitSeconds*time.Second+10*time.Second,
			server.WithBounds(bounds), server.HTTP1Only()),
	), map[string]healthz.Checker{
		"workload-keys":  process.While(keys.Ready),
		"published-keys": process.While(func() bool { return known.Current() != nil }),
		"authority":      process.While(roots.Ready),
		"certificate":    process.While(serving.Ready),
		"view":           process.While(node.Ready),
	})
}
