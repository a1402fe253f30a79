package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/testing/program"
)

const (
	release  = "kube-imds"
	tenantID = "28a37578-cd01-54f5-804a-52ef0695644e"

	// homeNode is the node of the controller and the signers.
	homeNode = "home"
)

var names = install.Names{Name: release, Namespace: installation}

// installed is a cluster with the chart installed, whose parts run with the rights of their pods. There is no kubelet and no scheduler.
type installed struct {
	*cluster
	folder   string
	programs map[install.Part]string
	requests *requestLog
	roots    cabundle.Bundle

	mu sync.Mutex
	// running are the parts in the order of their start, the controller first.
	running []*part
}

// startInstalled starts a cluster, installs the chart, and starts the controller.
func startInstalled(ctx context.Context, folder string) (_ *installed, err error) {
	folder, err = os.MkdirTemp(folder, "cluster-")
	if err != nil {
		return nil, err
	}
	in := &installed{folder: folder, programs: map[install.Part]string{}, requests: &requestLog{path: filepath.Join(folder, "requests")}}
	for _, part := range []install.Part{install.Controller, install.Signer, install.Issuer} {
		if in.programs[part], err = program.Build(ctx, folder, string(part)); err != nil {
			return nil, err
		}
	}
	environment := &envtest.Environment{ControlPlaneStopTimeout: 20 * time.Second}
	if err := in.requests.keep(environment.ControlPlane.GetAPIServer().Configure()); err != nil {
		return nil, err
	}
	if in.cluster, err = startAPIServer(folder, environment); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			in.stop()
		}
	}()
	if err := in.installChart(ctx); err != nil {
		return nil, err
	}
	if err := in.createNode(ctx, homeNode); err != nil {
		return nil, err
	}
	return in, in.startController(ctx)
}

// stop ends all parts, and the cluster.
func (in *installed) stop() {
	for _, one := range in.running {
		one.Stop()
	}
	// What was measured matters more than how the API server ends.
	_ = in.environment.Stop()
}

// installChart installs the chart, and removes the webhooks, because the API server does not reach them by their Service.
func (in *installed) installChart(ctx context.Context) error {
	command := exec.CommandContext(ctx, cmp.Or(os.Getenv("HELM"), "helm"), "install", release, "charts/kube-imds",
		"--kubeconfig", in.kubeconfig, "--namespace", installation, "--create-namespace")
	command.Env = append(os.Environ(), "HELM_CACHE_HOME="+in.folder, "HELM_CONFIG_HOME="+in.folder, "HELM_DATA_HOME="+in.folder)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("install the chart: %w\n%s", err, output)
	}
	meta := metav1.ObjectMeta{Name: release}
	for _, webhook := range []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: meta}, &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: meta},
	} {
		if err := in.Delete(ctx, webhook); err != nil {
			return fmt.Errorf("remove the webhooks: %w", err)
		}
	}
	return nil
}

func (in *installed) createNode(ctx context.Context, name string) error {
	if err := in.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		return fmt.Errorf("create node %s: %w", name, err)
	}
	return nil
}

// startController starts the controller, and waits until it has an authority. It cannot become ready without the webhooks.
func (in *installed) startController(ctx context.Context) error {
	made, err := in.launch(ctx, wanted{part: install.Controller, node: homeNode, arguments: []string{
		"--tenant-id=" + tenantID, "--sidecar-image=none", "--count-uninjected-pods=false", "--webhook-port={port}",
	}, env: []string{"GOMEMLIMIT=" + memoryLimit}})
	if err != nil {
		return fmt.Errorf("start the controller: %w", err)
	}
	in.running = append(in.running, made)
	in.roots, err = in.authorities(ctx)
	return err
}

// startSigner starts a signer, and waits until it is ready. It reaches the API server by a link, unless that is nil.
func (in *installed) startSigner(ctx context.Context, name string, by *link) (*part, error) {
	return in.start(ctx, wanted{part: install.Signer, name: name, node: homeNode, by: by})
}

// authorities returns the installation's authorities, when the controller has published them.
func (in *installed) authorities(ctx context.Context) (found cabundle.Bundle, err error) {
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		var published corev1.ConfigMap
		if err := in.Get(ctx, names.CA(), &published); err != nil {
			return false, err
		}
		text := published.Data[cabundle.Key]
		if text == "" {
			return false, nil
		}
		found, err = cabundle.Parse([]byte(text))
		return true, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the installation's authorities: %w", err)
	}
	return found, nil
}

// untilIdle waits until the controller has reconciled as many identities and bindings, and none waits to be.
func (in *installed) untilIdle(ctx context.Context, least int) error {
	first := in.running[0]
	return (&controller{first.Process, first.metrics}).untilIdle(ctx, least)
}

// linkToAPIServer returns a link to the API server.
func (in *installed) linkToAPIServer() (*link, error) {
	server, err := url.Parse(in.config.Host)
	if err != nil {
		return nil, fmt.Errorf("read the API server's URL: %w", err)
	}
	return newLink(nil, server.Host)
}
