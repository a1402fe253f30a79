// Package controller tests the controller's binary on a real API server, with the chart's objects and
// the rights of the chart's role only: what it serves, how replicas share the work, and how it starts and
// ends. KUBEBUILDER_ASSETS names the folder of kube-apiserver and etcd, HELM the helm to use.
package controller

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop what the tests ran on:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// system is an API server on which kube-imds is installed, and the controller.
type system struct {
	client.Client
	config      *rest.Config
	environment *envtest.Environment
	folder      string

	// controller leads, except in tests that make another one lead. replicas has all that were created.
	controller *replica
	replicas   []*replica

	started sync.Once
	failed  error
}

// shared is the system that all tests use.
var shared system

// start returns the system, with its controller ready.
func start(t *testing.T) *system {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("this test needs kube-apiserver and etcd; set KUBEBUILDER_ASSETS to their folder")
	}
	helm, err := exec.LookPath(cmp.Or(os.Getenv("HELM"), "helm"))
	if err != nil {
		t.Skip("this test needs helm; set HELM to its path:", err)
	}
	shared.started.Do(func() { shared.failed = shared.start(helm) })
	if shared.failed != nil {
		t.Fatal(shared.failed)
	}
	return &shared
}

func (s *system) start(helm string) error {
	var err error
	if s.folder, err = os.MkdirTemp("", "kube-imds-integration-"); err != nil {
		return err
	}
	s.environment = &envtest.Environment{CRDDirectoryPaths: []string{"../../../api/v1alpha1/crd"}, ErrorIfCRDPathMissing: true}
	if s.config, err = s.environment.Start(); err != nil {
		return fmt.Errorf("start the API server: %w", err)
	}
	s.config.QPS = -1
	kinds, err := scheme.New()
	if err != nil {
		return err
	}
	if s.Client, err = client.New(s.config, client.Options{Scheme: kinds}); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if err := s.install(helm); err != nil {
		return err
	}
	if err := s.build(); err != nil {
		return err
	}
	if s.controller, err = s.newReplica("first"); err != nil {
		return err
	}
	return s.controller.start()
}

func (s *system) stop() error {
	var problems []error
	for _, replica := range s.replicas {
		problems = append(problems, replica.stop())
	}
	if s.environment != nil {
		problems = append(problems, s.environment.Stop())
	}
	return errors.Join(append(problems, os.RemoveAll(s.folder))...)
}
