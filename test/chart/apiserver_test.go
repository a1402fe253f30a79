package chart

import (
	"os"
	"path/filepath"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// apiServer is a real API server without controllers and nodes.
type apiServer struct {
	config     *rest.Config
	kubeconfig string
	client.Client
}

// startAPIServer starts an API server until the test ends.
func startAPIServer(t *testing.T) apiServer {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Skip("this test needs kube-apiserver and etcd; set KUBEBUILDER_ASSETS to their folder")
	}
	environment := &envtest.Environment{BinaryAssetsDirectory: assets}
	config, err := environment.Start()
	if err != nil {
		t.Fatal("start the API server:", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error("stop the API server:", err)
		}
	})
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return apiServer{config: config, kubeconfig: kubeconfig, Client: newClient(t, config)}
}

// as returns a client that acts as another user.
func (s apiServer) as(t *testing.T, user rest.ImpersonationConfig) client.Client {
	t.Helper()
	config := rest.CopyConfig(s.config)
	config.Impersonate = user
	return newClient(t, config)
}

// helm runs Helm's command line against the server.
func (s apiServer) helm(t *testing.T, args ...string) string {
	t.Helper()
	output, err := helm(t, append(args, "--kubeconfig", s.kubeconfig, "--namespace", namespace)...)
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", args[0], err, output)
	}
	return output
}

func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	made, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// scheme has Kubernetes' kinds and ours.
var scheme = func() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(apiextensionsv1.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}()
