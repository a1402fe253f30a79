package main

import (
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuer/signerclient"
)

// newEntraMinter returns a minter of Entra ID's tokens, and what must run for it.
func newEntraMinter(o options, signer *signerclient.Client, pods *workload.Authenticator) (mint.Minter, []manager.Runnable, error) {
	transport, err := o.outbound.Transport()
	if err != nil {
		return nil, nil, err
	}
	log := ctrl.Log.WithName("entra")
	exchange := &entra.Client{HTTP: entra.NewHTTPClient(transport), Now: time.Now}
	reporter := mint.NewReporter(signer.Outcome, log, time.Now)
	own := func(audience, token string) (workload.Workload, error) { return pods.For(audience).Authenticate(token) }
	cache := mint.NewSharedCache(&mint.Entra{
		Assertions: signer, Own: own, Exchange: exchange.Exchange, Cloud: o.metadata.Environment,
		Pauses: mint.NewPauses(), Outcomes: reporter, Now: time.Now,
		Log: func(err error, identity, resource string) {
			log.Info("no token of Entra ID", "identity", identity, "resource", resource, "reason", err.Error())
		},
	}, time.Now)
	return cache, []manager.Runnable{cache, reporter}, nil
}
