package main

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/configmap"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/oidc"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
	"github.com/kube-imds/kube-imds/internal/process"
	"github.com/kube-imds/kube-imds/internal/published"
	"github.com/kube-imds/kube-imds/internal/server"
)

// answerTimeout bounds an answer.
const answerTimeout = 10 * time.Second

// run wires the server and runs it until the context ends.
func run(ctx context.Context, o options) error {
	mgr, err := o.NewManager(ctrl.Options{})
	if err != nil {
		return err
	}
	metrics.Registry.MustRegister(server.Collectors()...)
	log := ctrl.Log.WithName("oidc")
	known, roots := &published.Latest{Log: log}, &cabundle.Latest{}
	keysWatch, err := configmap.NewWatch(mgr.GetConfig(), o.Names.Keys(), known.Update)
	if err != nil {
		return err
	}
	rootsWatch, err := configmap.NewWatch(mgr.GetConfig(), o.Names.CA(), roots.Update)
	if err != nil {
		return err
	}
	serving, err := certificate.KeepServing(mgr.GetConfig(), certificate.OIDCSigner, o.Names.Services(install.OIDC), roots, ctrl.Log.WithName("certificate"))
	if err != nil {
		return err
	}
	documents := &oidc.Documents{
		BaseURL: o.Names.URL(install.OIDC), DefaultTenant: v1alpha1.GUID(o.tenantID), Published: known.Current, Now: time.Now, Log: log,
	}
	return process.Run(ctx, mgr, []manager.Runnable{
		keysWatch, rootsWatch, serving,
		server.New(o.listen, documents.Handler(), serving.GetCertificate, answerTimeout),
		server.NewPlain(o.authorityAddress, cabundle.Handler(roots.Bundle), answerTimeout),
	}, map[string]healthz.Checker{
		"published-keys": process.While(func() bool { return known.Current() != nil }),
		"authority":      process.While(roots.Ready),
		"certificate":    process.While(serving.Ready),
	})
}
