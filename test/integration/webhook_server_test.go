package integration

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/yaml"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/webhook"
)

// webhookServices are the Services of the vaults and of the storage accounts.
var webhookServices = map[*azurehost.Kind]client.ObjectKey{
	azurehost.KeyVaults:       {Namespace: "default", Name: "kube-imds-keyvault"},
	azurehost.StorageAccounts: {Namespace: "default", Name: "kube-imds-storage-gate"},
}

// webhookServer is a separate API server that calls the webhook by the chart's configurations, and its warnings.
type webhookServer struct {
	client.Client
	environment *envtest.Environment
	config      *rest.Config
	warnings    *webhookWarnings
}

// webhookStart starts the API server. The webhook is down.
func webhookStart(t *testing.T) *webhookServer {
	t.Helper()
	needServer(t)
	environment := &envtest.Environment{
		BinaryAssetsDirectory: os.Getenv("KUBEBUILDER_ASSETS"),
		CRDDirectoryPaths:     []string{definitionsPath},
		ErrorIfCRDPathMissing: true,
		WebhookInstallOptions: envtest.WebhookInstallOptions{Paths: webhookConfigurations(t)},
	}
	// Both change containers that a webhook has added: one mounts the ServiceAccount's token, the other sets imagePullPolicy.
	environment.ControlPlane.GetAPIServer().Configure().
		Disable("disable-admission-plugins").Set("enable-admission-plugins", "ServiceAccount", "AlwaysPullImages")
	config, err := environment.Start()
	if err != nil {
		t.Fatal("start the API server:", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error("stop the API server:", err)
		}
	})
	s := &webhookServer{environment: environment, config: config, warnings: &webhookWarnings{}}
	asking := rest.CopyConfig(config)
	asking.WarningHandlerWithContext = s.warnings
	if s.Client, err = client.New(asking, client.Options{Scheme: kinds}); err != nil {
		t.Fatal(err)
	}
	return s
}

// webhookConfigurations renders the chart's webhook configurations into files.
func webhookConfigurations(t *testing.T) []string {
	t.Helper()
	helm, err := exec.LookPath(cmp.Or(os.Getenv("HELM"), "helm"))
	if err != nil {
		t.Skip("this test needs helm; set HELM to its path:", err)
	}
	var files []string
	for _, name := range []string{"mutating", "validating"} {
		var output, problems bytes.Buffer
		command := exec.Command(helm, "template", "kube-imds", "../../charts/kube-imds", "--namespace", "kube-imds-system",
			"--kube-version", "1.37.2", "--show-only", "templates/webhook/"+name+".yaml")
		command.Stdout, command.Stderr = &output, &problems
		if err := command.Run(); err != nil {
			t.Fatalf("helm template: %v\n%s", err, problems.String())
		}
		file := filepath.Join(t.TempDir(), name+".yaml")
		if err := os.WriteFile(file, webhookWithPaths(t, output.Bytes()), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// webhookWithPaths adds the paths that the controller writes into a configuration, without a capability: the manager's own
// server needs none.
func webhookWithPaths(t *testing.T, rendered []byte) []byte {
	t.Helper()
	var configuration unstructured.Unstructured
	if err := yaml.Unmarshal(rendered, &configuration.Object); err != nil {
		t.Fatal(err)
	}
	for _, hook := range configuration.Object["webhooks"].([]any) {
		fields := hook.(map[string]any)
		service := fields["clientConfig"].(map[string]any)["service"].(map[string]any)
		service["path"] = capability.Route(fields["name"].(string))
	}
	text, err := yaml.Marshal(configuration.Object)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// bringUp starts the webhook until the test ends, and waits until it answers.
func (s *webhookServer) bringUp(t *testing.T) {
	t.Helper()
	serving := s.environment.WebhookInstallOptions
	manager, err := ctrl.NewManager(s.config, ctrl.Options{
		Scheme:  kinds,
		Logger:  logr.Discard(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		WebhookServer: ctrlwebhook.NewServer(ctrlwebhook.Options{
			Host: serving.LocalServingHost, Port: serving.LocalServingPort, CertDir: serving.LocalServingCertDir,
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	options := webhook.Options{
		SidecarImage: "registry.example/sidecar:1", ImagePullPolicy: corev1.PullIfNotPresent,
		Interception: webhook.Redirect, SidecarPort: 15780,
		IssuerURL: "https://kube-imds-issuer.kube-imds-system.svc",
		TrustName: "kube-imds-trust",
		CABundle:  func(context.Context) []byte { return []byte("the authority's certificate") },

		WorkloadIdentity: true, AzureEnvironment: "AzurePublicCloud", AzureServices: webhookServices,
	}
	if err := errors.Join(clientid.Index(t.Context(), manager.GetFieldIndexer()),
		azurehost.KeyVaults.Index(t.Context(), manager.GetFieldIndexer()), azurehost.StorageAccounts.Index(t.Context(), manager.GetFieldIndexer())); err != nil {
		t.Fatal(err)
	}
	if err := options.SetupWithManager(manager); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("run the webhook:", err)
		}
	})
	eventually(t, func(ctx context.Context) string {
		probe := build.NewIdentity("probe").ManagedIdentity
		if err := s.Create(ctx, probe, client.DryRunAll); err != nil {
			return err.Error()
		}
		return ""
	})
}

func (s *webhookServer) webhookCreate(t *testing.T, object client.Object) {
	t.Helper()
	if err := s.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// webhookIdentity creates an identity with the status that the controller would set. Its IDs do not matter.
func (s *webhookServer) webhookIdentity(t *testing.T, identity build.Identity) {
	t.Helper()
	conditions := identity.Status.Conditions
	for i := range conditions {
		conditions[i].Reason, conditions[i].LastTransitionTime = v1alpha1.ReasonResolved, metav1.Now()
	}
	s.webhookCreate(t, identity.ManagedIdentity)
	identity.Status = v1alpha1.ManagedIdentityStatus{Conditions: conditions}
	if err := s.Status().Update(t.Context(), identity.ManagedIdentity); err != nil {
		t.Fatal(err)
	}
}

// webhookPod returns a pod that asks for identities, if any.
func webhookPod(namespace, identities string, changes ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "app-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "registry.example/app"}}},
	}
	if identities != "" {
		pod.Annotations = map[string]string{"kube-imds.io/identity": identities}
	}
	for _, change := range changes {
		change(pod)
	}
	return pod
}

// webhookWarnings collects the warnings of the API server's responses.
type webhookWarnings struct {
	lock sync.Mutex
	all  []string
}

// HandleWarningHeaderWithContext keeps a warning.
func (w *webhookWarnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _, message string) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.all = append(w.all, message)
}

// take returns the warnings since the last call.
func (w *webhookWarnings) take() []string {
	w.lock.Lock()
	defer w.lock.Unlock()
	taken := w.all
	w.all = nil
	return taken
}
