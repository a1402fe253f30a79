package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
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
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/keyset"
	"github.com/kube-imds/kube-imds/internal/keyvault"
	"github.com/kube-imds/kube-imds/internal/keyvault/store"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
	"github.com/kube-imds/kube-imds/internal/process"
	"github.com/kube-imds/kube-imds/internal/resource/bearer"
	"github.com/kube-imds/kube-imds/internal/server"
)

// answerTimeout bounds an answer.
const answerTimeout = 30 * time.Second

const (
	// liveTimeout bounds a request to the API server, so that reads turn to the cache before clients give up.
	liveTimeout = 5 * time.Second

	// maxRecent bounds the values that are remembered, in bytes.
	maxRecent = 32 << 20
)

// run wires the server and runs it until the context ends.
func run(ctx context.Context, o options) error {
	mgr, err := o.NewManager(ctrl.Options{Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{
		&v1alpha1.KeyVault{}:        {Transform: slim.Bare},
		&v1alpha1.RoleAssignment{}:  {Transform: slim.Bare},
		&v1alpha1.ManagedIdentity{}: {Transform: slim.Bare},
		&corev1.Secret{}: {
			Namespaces: map[string]cache.Config{o.data: {}}, Label: labels.SelectorFromSet(store.ObjectLabels()), Transform: cache.TransformStripManagedFields(),
		},
	}}})
	if err != nil {
		return err
	}
	metrics.Registry.MustRegister(server.Collectors()...)
	if err := azurehost.KeyVaults.Index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	for _, kind := range []client.Object{&v1alpha1.KeyVault{}, &v1alpha1.RoleAssignment{}, &v1alpha1.ManagedIdentity{}, &corev1.Secret{}} {
		if _, err := mgr.GetCache().GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	roots := &cabundle.Latest{}
	rootsWatch, err := configmap.NewWatch(mgr.GetConfig(), o.Names.CA(), roots.Update)
	if err != nil {
		return err
	}
	serving, err := certificate.KeepWithPublic(mgr.GetConfig(), certificate.KeyVaultSigner, o.Names.Vaults(),
		func(ctx context.Context) ([]string, error) { return azurehost.KeyVaults.Held(ctx, mgr.GetCache()) },
		roots, ctrl.Log.WithName("certificate"))
	if err != nil {
		return err
	}
	keys := keyset.New(bearer.Documents(o.oidcURL, o.oidcAddress, o.tenantID, roots.Pool), ctrl.Log.WithName("keys"), func(error) {})
	vaults, err := o.vaults(mgr, keys)
	if err != nil {
		return err
	}
	return process.Run(ctx, mgr, []manager.Runnable{
		rootsWatch, serving, keys, &keyvault.Upkeep{Server: vaults, Log: ctrl.Log.WithName("upkeep")},
		server.New(o.listen, vaults.Handler(), serving.GetCertificate, answerTimeout),
	}, map[string]healthz.Checker{
		"authority":   process.While(roots.Ready),
		"certificate": process.While(serving.Ready),
		"keys":        process.While(keys.Ready),
	})
}

// vaults returns the server of the vaults. Secrets are read and written without a cache while the API server answers.
func (o options) vaults(mgr manager.Manager, keys *keyset.Keys) (*keyvault.Server, error) {
	config := rest.CopyConfig(mgr.GetConfig())
	config.Timeout = liveTimeout
	live, err := client.New(config, client.Options{Scheme: mgr.GetScheme()})
	if err != nil {
		return nil, fmt.Errorf("make the client of the vaults' objects: %w", err)
	}
	directory := &keyvault.Directory{
		Reader: mgr.GetCache(), Domain: o.Names.Domain(install.VaultService), TenantID: o.tenantID, LoginURL: o.oidcURL,
	}
	return &keyvault.Server{
		Find: directory.Find, Assignments: directory.Assignments, Location: o.location, Now: time.Now, Log: ctrl.Log.WithName("audit"),
		Bearer:  &bearer.Validator{BaseURL: o.oidcURL, Keys: keys, Now: time.Now},
		Records: &store.Recent{Records: &store.Secrets{Client: live, Namespace: o.data, Cache: mgr.GetCache()}, MaxBytes: maxRecent},
	}, nil
}
