package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/testing/scrape"
)

const installation = "kube-imds-system"

// cluster is a kube-apiserver with its etcd.
type cluster struct {
	client.WithWatch
	environment *envtest.Environment
	config      *rest.Config
	kubeconfig  string
}

// startCluster starts a cluster with the kinds of kube-imds and its namespace.
func startCluster(ctx context.Context, folder string) (*cluster, error) {
	c, err := startAPIServer(folder, &envtest.Environment{CRDDirectoryPaths: []string{"api/v1alpha1/crd"}, ErrorIfCRDPathMissing: true})
	if err != nil {
		return nil, err
	}
	if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: installation}}); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the API server: %w", err), c.environment.Stop())
	}
	return c, nil
}

// startAPIServer starts the API server and etcd of an environment.
func startAPIServer(folder string, environment *envtest.Environment) (*cluster, error) {
	c := &cluster{environment: environment, kubeconfig: filepath.Join(folder, "kubeconfig")}
	config, err := c.environment.Start()
	if err != nil {
		return nil, fmt.Errorf("start the API server: %w", err)
	}
	config.QPS = -1
	c.config = config
	kinds, err := scheme.New()
	if err == nil {
		c.WithWatch, err = client.NewWithWatch(config, client.Options{Scheme: kinds})
	}
	if err == nil {
		err = os.WriteFile(c.kubeconfig, c.environment.KubeConfig, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the API server: %w", err), c.environment.Stop())
	}
	return c, nil
}

// metrics returns the API server's own metrics.
func (c *cluster) metrics(ctx context.Context) (scrape.Metrics, error) {
	authenticated, err := rest.HTTPClientFor(c.config)
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server's metrics: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.config.Host, "/")+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("scrape the API server: %w", err)
	}
	response, err := authenticated.Do(request)
	if err != nil {
		return nil, fmt.Errorf("scrape the API server: %w", err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("got %s", response.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("scrape the API server: %w", err)
	}
	return strings.Split(string(content), "\n"), nil
}
