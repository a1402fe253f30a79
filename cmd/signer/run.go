package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/cluster/configmap"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/federation"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/logging"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
	"github.com/kube-imds/kube-imds/internal/process"
	"github.com/kube-imds/kube-imds/internal/server"
	"github.com/kube-imds/kube-imds/internal/signer"
	"github.com/kube-imds/kube-imds/internal/signer/keys"
	"github.com/kube-imds/kube-imds/internal/signer/kms"
	"github.com/kube-imds/kube-imds/internal/signer/view"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// answerTimeout bounds an answer. Issuers wait for less.
const answerTimeout = 10 * time.Second

// The limits of what a node can report of Entra ID: each report may be a write to the API server.
const (
	outcomesPerSecond = 0.2
	outcomesBurst     = 20
)

// run wires the signer and runs it until the context ends.
func run(ctx context.Context, o options) error {
	audit, err := logging.Audit()
	if err != nil {
		return err
	}
	mgr, err := o.NewManager(ctrl.Options{Cache: signer.CacheOptions(o.Names.SigningKeys(), o.Names.Keys())})
	if err != nil {
		return err
	}
	metrics.Registry.MustRegister(slices.Concat(signer.Collectors(), keys.Collectors(), workload.Collectors(), server.Collectors(), federation.Collectors())...)
	reader := mgr.GetClient()
	known := directory.Caches{Reader: reader}
	pods, err := podsOf(mgr)
	if err != nil {
		return err
	}
	changes, views := directory.NewChanges(), view.NewHub(known, pods, ctrl.Log.WithName("views"))
	if err := watch(ctx, mgr, changes, views); err != nil {
		return err
	}
	source, err := workload.NewAPIServer(mgr.GetConfig(), "signer")
	if err != nil {
		return err
	}
	clusterKeys := workload.NewKeys(source, ctrl.Log.WithName("workload-keys"))
	keeper := &keys.Keeper{
		Name: "tokens", Client: reader, Secret: o.Names.SigningKeys(), ConfigMap: o.Names.Keys(), Tenants: keys.Tenants(reader),
		Policy: o.keys, Source: &keys.Source{URLs: o.kmsKeys, KMS: &kms.Keys{}}, Changes: changes, Now: time.Now, Log: ctrl.Log.WithName("signing-keys"),
	}
	roots := &cabundle.Latest{}
	rootsWatch, err := configmap.NewWatch(mgr.GetConfig(), o.Names.CA(), roots.Update)
	if err != nil {
		return err
	}
	serving, err := certificate.KeepServing(mgr.GetConfig(), certificate.SignerSigner, o.Names.Services(install.Signer),
		roots, ctrl.Log.WithName("certificate"))
	if err != nil {
		return err
	}
	attestation, err := certificate.KeepAttestation(mgr.GetConfig(), signer.AttestationNames(reader, o.machine),
		roots, ctrl.Log.WithName("attestation"))
	if err != nil {
		return err
	}
	api := &signer.Server{
		Issuers:       workload.NewAuthenticator(clusterKeys, signerapi.Audience, time.Now),
		Pods:          workload.NewAuthenticator(clusterKeys, issuerapi.Audience, time.Now),
		Namespace:     o.Names.Namespace,
		IssuerAccount: o.Names.ServiceAccount(install.Issuer),
		Directory:     &directory.Directory{Source: known, Changes: changes},
		Key:           keeper.Key,
		TokenIssuers:  token.Issuers{BaseURL: o.Names.URL(install.OIDC), EntraResources: o.entraResources},
		Machine:       o.machine,
		NameWorkloads: o.nameWorkloads,
		Attestations:  &attested.Signer{Current: attestation.Current, Now: time.Now},
		Views:         views,
		Outcomes: &signer.Outcomes{
			Issuer: o.federation, ClusterIssuer: clusterKeys.Issuer, Limits: signer.NewNodeLimits(outcomesPerSecond, outcomesBurst),
			Reader: reader, Write: signer.ApplyCondition(reader),
		},
		Limits:          signer.NewNodeLimits(o.nodePerSecond, o.nodeBurst),
		Log:             audit,
		Unauthenticated: rate.NewLimiter(1, 20),
		Now:             time.Now,
	}
	if o.federation.URL != "" {
		if api.Federation, err = federate(ctx, mgr, o); err != nil {
			return err
		}
	}
	return process.Run(ctx, mgr, []manager.Runnable{
		clusterKeys, keeper, rootsWatch, serving, attestation, views,
		server.New(o.listen, api.Handler(), serving.GetCertificate, answerTimeout, server.WithBounds(server.ClusterBounds), server.HTTP1Only()),
	}, map[string]healthz.Checker{
		"workload-keys": process.While(clusterKeys.Ready),
		"signing-key":   process.While(keeper.Ready),
		"certificate":   process.While(serving.Ready),
	})
}

// podsOf returns a client of all pods, which reads them in the API server's cheapest form.
func podsOf(mgr manager.Manager) (corev1client.PodInterface, error) {
	config := rest.CopyConfig(mgr.GetConfig())
	config.ContentType = runtime.ContentTypeProtobuf
	made, err := corev1client.NewForConfigAndClient(config, mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("make a client of pods: %w", err)
	}
	return made.Pods(metav1.NamespaceAll), nil
}

// watch starts to watch everything that a signature and the issuers' views depend on, and notifies changes of what the keys and their
// publication depend on.
func watch(ctx context.Context, mgr manager.Manager, changes *directory.Changes, views *view.Hub) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, directory.PodUIDIndex, directory.IndexPodUID); err != nil {
		return fmt.Errorf("index the pods: %w", err)
	}
	if _, err := mgr.GetCache().GetInformer(ctx, &corev1.Pod{}); err != nil {
		return fmt.Errorf("watch the pods: %w", err)
	}
	return errors.Join(
		notify(ctx, mgr.GetCache(), views.Handler(), &corev1.Node{}, &v1alpha1.ManagedIdentity{}, &v1alpha1.IdentityBinding{}, &corev1.Service{},
			directory.Metadata("ServiceAccount"), directory.Metadata("Namespace")),
		notify(ctx, mgr.GetCache(), changes.Handler(), &corev1.Secret{}, &corev1.ConfigMap{}, &v1alpha1.ManagedIdentity{}),
	)
}

// notify watches kinds and tells a handler of their changes.
func notify(ctx context.Context, from cache.Cache, handler toolscache.ResourceEventHandler, kinds ...client.Object) error {
	for _, kind := range kinds {
		informer, err := from.GetInformer(ctx, kind)
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	return nil
}
