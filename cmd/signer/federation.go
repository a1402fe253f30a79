package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/federation"
	"github.com/kube-imds/kube-imds/internal/signer"
	"github.com/kube-imds/kube-imds/internal/signer/keys"
)

// federate adds the federation issuer to the manager: its keys, in objects and a cache of their own, and the watch of its public
// files.
func federate(ctx context.Context, mgr manager.Manager, o options) (*signer.Federation, error) {
	own, err := cluster.New(mgr.GetConfig(), func(options *cluster.Options) {
		options.Scheme = mgr.GetScheme()
		options.Cache = signer.KeysCacheOptions(o.Names.FederationKeys(), o.Names.Federation())
	})
	if err != nil {
		return nil, fmt.Errorf("make the cache of the federation keys: %w", err)
	}
	changes := directory.NewChanges()
	if err := notify(ctx, own.GetCache(), changes.Handler(), &corev1.Secret{}, &corev1.ConfigMap{}); err != nil {
		return nil, err
	}
	read, err := o.publicKeys(own.GetClient())
	if err != nil {
		return nil, err
	}
	watch := &federation.Watch{
		Issuer: o.federation, Read: read, OnChange: changes.Notify, Changed: changes.Next, Log: ctrl.Log.WithName("federation"),
	}
	keeper := &keys.Keeper{
		Name: "federation", Client: own.GetClient(), Secret: o.Names.FederationKeys(), ConfigMap: o.Names.Federation(),
		Tenants: func(context.Context) (map[string]bool, error) { return nil, nil },
		Policy:  o.federationKeys, Source: &keys.Source{}, Seen: watch.Has, Changes: changes, Now: time.Now,
		Log: ctrl.Log.WithName("federation-keys"),
	}
	watch.Expected = keeper.KeyIDs
	for _, part := range []manager.Runnable{own, keeper, watch} {
		if err := mgr.Add(part); err != nil {
			return nil, fmt.Errorf("add %T to the manager: %w", part, err)
		}
	}
	return &signer.Federation{Issuer: o.federation, Key: keeper.Key}, nil
}

// publicKeys returns the function that finds out which keys are public: from the public files, or from what an administrator has recorded.
func (o options) publicKeys(reader client.Reader) (func(context.Context) (map[string]bool, error), error) {
	if o.federation.Recorded {
		return func(ctx context.Context) (map[string]bool, error) {
			var configMap corev1.ConfigMap
			if err := reader.Get(ctx, o.Names.Federation(), &configMap); err != nil {
				return nil, fmt.Errorf("read which federation keys are recorded as public: %w", err)
			}
			return o.federation.ReadRecord(configMap.Annotations[federation.RecordAnnotation]), nil
		}, nil
	}
	transport, err := o.outbound.Transport()
	if err != nil {
		return nil, err
	}
	web := &http.Client{Transport: transport}
	return func(ctx context.Context) (map[string]bool, error) {
		return federation.ReadPublic(ctx, web, o.federation.URL)
	}, nil
}
