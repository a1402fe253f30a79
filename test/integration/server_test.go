// Package integration runs the reconcilers on a real API server. KUBEBUILDER_ASSETS names the folder of kube-apiserver
// and etcd. The reconcilers have the rights of the chart only: HELM names the helm that renders
// them. There are no nodes, and none of Kubernetes' own controllers.
package integration

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

// The API server that all tests share, and its administrator; nil without one.
var (
	adminConfig *rest.Config
	admin       client.Client
	kinds       *runtime.Scheme
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(cmp.Or(code, map[bool]int{true: 1}[err != nil]))
}

// run starts the API server, runs the tests and stops it.
func run(m *testing.M) (code int, err error) {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		return m.Run(), nil
	}
	environment := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{definitionsPath},
		ErrorIfCRDPathMissing: true,
	}
	if adminConfig, err = environment.Start(); err != nil {
		return 1, fmt.Errorf("start the API server: %w", err)
	}
	defer func() {
		if stopErr := environment.Stop(); stopErr != nil && err == nil {
			err = fmt.Errorf("stop the API server: %w", stopErr)
		}
	}()
	if kinds, err = scheme.New(); err != nil {
		return 1, err
	}
	// Tests run in parallel: the client must not slow them down.
	adminConfig.QPS, adminConfig.Burst = -1, 0
	if admin, err = client.New(adminConfig, client.Options{Scheme: kinds}); err != nil {
		return 1, fmt.Errorf("make the administrator's client: %w", err)
	}
	defer controller.stop()
	return m.Run(), nil
}

// needServer skips a test without an API server.
func needServer(t *testing.T) {
	t.Helper()
	if admin == nil {
		t.Skip("this test needs kube-apiserver and etcd; set KUBEBUILDER_ASSETS to their folder")
	}
}

// as returns a client that acts as another user.
func as(t *testing.T, user rest.ImpersonationConfig) client.Client {
	t.Helper()
	made, err := client.New(impersonate(user), client.Options{Scheme: kinds})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func impersonate(user rest.ImpersonationConfig) *rest.Config {
	config := rest.CopyConfig(adminConfig)
	config.Impersonate = user
	return config
}

// create creates an object, and deletes it when the test ends.
func create[T client.Object](t *testing.T, object T) T {
	t.Helper()
	if err := admin.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Delete(context.Background(), object); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	})
	return object
}

func remove(t *testing.T, object client.Object) {
	t.Helper()
	if err := admin.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func get[T client.Object](t *testing.T, object T) T {
	t.Helper()
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	return object
}

// change changes an object like kubectl edit, with retries on conflicts.
func change[T client.Object](t *testing.T, object T, edit func(T)) {
	t.Helper()
	before := get(t, object).DeepCopyObject().(client.Object)
	edit(object)
	if err := admin.Patch(t.Context(), object, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a check returns "", and fails the test with its last result after a minute.
func eventually(t *testing.T, amiss func(context.Context) string) {
	t.Helper()
	last := "nothing was looked at"
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true,
		func(ctx context.Context) (bool, error) {
			last = amiss(ctx)
			return last == "", nil
		})
	if err != nil {
		t.Fatalf("timed out after a minute: %s", last)
	}
}
