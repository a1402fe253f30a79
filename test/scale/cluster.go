package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

const installation = "kube-imds-system"

// cluster is a kube-apiserver with its etcd.
type cluster struct {
	client.WithWatch
	environment *envtest.Environment
	kubeconfig  string
}

// startCluster starts a cluster with the kinds of kube-imds and its namespace.
func startCluster(ctx context.Context, folder string) (*cluster, error) {
	c := &cluster{
		environment: &envtest.Environment{CRDDirectoryPaths: []string{"api/v1alpha1/crd"}, ErrorIfCRDPathMissing: true},
		kubeconfig:  filepath.Join(folder, "kubeconfig"),
	}
	config, err := c.environment.Start()
	if err != nil {
		return nil, fmt.Errorf("start the API server: %w", err)
	}
	config.QPS = -1
	kinds, err := scheme.New()
	if err == nil {
		c.WithWatch, err = client.NewWithWatch(config, client.Options{Scheme: kinds})
	}
	if err == nil {
		err = os.WriteFile(c.kubeconfig, c.environment.KubeConfig, 0o600)
	}
	if err == nil {
		err = c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: installation}})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the API server: %w", err), c.environment.Stop())
	}
	return c, nil
}
