package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/cluster/configmap"
	"github.com/kube-imds/kube-imds/internal/cluster/slim"
	"github.com/kube-imds/kube-imds/internal/keyset"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
	"github.com/kube-imds/kube-imds/internal/process"
	"github.com/kube-imds/kube-imds/internal/resource/bearer"
	"github.com/kube-imds/kube-imds/internal/server"
	"github.com/kube-imds/kube-imds/internal/storagegate"
)

const (
	// answerTimeout bounds an answer, unless its body passes on.
	answerTimeout = 30 * time.Second

	// patience is how long a client may keep a body waiting.
	patience = time.Minute
)

// run wires the gate and runs it until the context ends.
func run(ctx context.Context, o options) error {
	mgr, err := o.newManager(ctx)
	if err != nil {
		return err
	}
	metrics.Registry.MustRegister(server.Collectors()...)
	roots := &cabundle.Latest{}
	rootsWatch, err := configmap.NewWatch(mgr.GetConfig(), o.Names.CA(), roots.Update)
	if err != nil {
		return err
	}
	serving, err := certificate.KeepWithPublic(mgr.GetConfig(), certificate.StorageSigner, o.Names.StorageAccounts(),
		func(ctx context.Context) ([]string, error) {
			return azurehost.StorageAccounts.Held(ctx, mgr.GetCache())
		},
		roots, ctrl.Log.WithName("certificate"))
	if err != nil {
		return err
	}
	keys := keyset.New(bearer.Documents(o.oidcURL, o.oidcAddress, o.tenantID, roots.Pool), ctrl.Log.WithName("keys"), func(error) {})
	gate, err := o.gate(mgr, keys)
	if err != nil {
		return err
	}
	return process.Run(ctx, mgr, []manager.Runnable{
		rootsWatch, serving, keys,
		// Azure's storage speaks HTTP/1.1 alone.
		server.New(o.listen, gate, serving.GetCertificate, answerTimeout, server.HTTP1Only()),
	}, map[string]healthz.Checker{
		"authority":   process.While(roots.Ready),
		"certificate": process.While(serving.Ready),
		"keys":        process.While(keys.Ready),
		"azurite": func(request *http.Request) error {
			return process.While(func() bool { return gate.Backend.Answers(request.Context()) })(request)
		},
	})
}

func (o options) newManager(ctx context.Context) (manager.Manager, error) {
	kinds := []client.Object{&v1alpha1.StorageAccount{}, &v1alpha1.RoleAssignment{}, &v1alpha1.ManagedIdentity{}}
	trimmed := map[client.Object]cache.ByObject{}
	for _, kind := range kinds {
		trimmed[kind] = cache.ByObject{Transform: slim.Bare}
	}
	mgr, err := o.NewManager(ctrl.Options{Cache: cache.Options{ByObject: trimmed}})
	if err != nil {
		return nil, err
	}
	if err := azurehost.StorageAccounts.Index(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	for _, kind := range kinds {
		if _, err := mgr.GetCache().GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return nil, fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	return mgr, nil
}

// gate returns the gate, and has the manager make the accounts behind it.
func (o options) gate(mgr manager.Manager, keys *keyset.Keys) (*storagegate.Server, error) {
	if err := os.MkdirAll(o.folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of Azurite's certificate: %w", err)
	}
	trusted, err := storagegate.KeepCertificate(o.folder, time.Now())
	if err != nil {
		return nil, err
	}
	accounts, err := storagegate.OpenAccounts(o.folder)
	if err != nil {
		return nil, err
	}
	backend := &storagegate.Backend{
		Ports:     map[storagegate.Service]int{storagegate.Blob: o.blobPort, storagegate.Queue: o.queuePort, storagegate.Table: o.tablePort},
		Transport: storagegate.NewTransport(trusted), Now: time.Now,
	}
	provisioner := &storagegate.Provisioner{Reader: mgr.GetCache(), Accounts: accounts, Backend: backend}
	if err := provisioner.SetupWithManager(mgr); err != nil {
		return nil, err
	}
	directory := &storagegate.Directory{Reader: mgr.GetCache(), Domain: o.Names.Namespace + ".svc", TenantID: o.tenantID, Known: accounts.Known}
	return &storagegate.Server{
		Find: directory.Find, Assignments: directory.Assignments, Backend: backend, Patience: patience, Now: time.Now, Log: ctrl.Log.WithName("audit"),
		Bearer: &bearer.Validator{BaseURL: o.oidcURL, Keys: keys, Now: time.Now},
	}, nil
}
