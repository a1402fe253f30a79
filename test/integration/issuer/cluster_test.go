package issuer

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

const (
	release   = "kube-imds"
	namespace = "kube-imds-system"
	chartPath = "../../../charts/kube-imds"
)

// cluster is a real API server with the chart installed. Only the tests set pods running.
type cluster struct {
	client.Client
	kube        kubernetes.Interface
	config      *rest.Config
	environment *envtest.Environment
	controller  *controller

	// issuer and signer are the paths of their binaries.
	issuer, signer string

	// signerAddress is the signer's address.
	signerAddress string
}

// startCluster starts an API server with the chart, with values like a=b, and two nodes until the test ends.
func startCluster(t *testing.T, values ...string) *cluster {
	t.Helper()
	return startClusterOn(t, startAPIServer(t), values...)
}

// startClusterOn does the same with an API server.
func startClusterOn(t *testing.T, environment *envtest.Environment, values ...string) *cluster {
	t.Helper()
	helm, err := exec.LookPath(cmp.Or(os.Getenv("HELM"), "helm"))
	if err != nil {
		t.Skip("this test needs helm; set HELM to its path:", err)
	}
	c := &cluster{environment: environment, issuer: buildPart(t, "issuer"), signer: buildPart(t, "signer")}
	c.config = c.environment.Config
	kinds, err := scheme.New()
	must(t, err, "know the kinds")
	c.Client, err = client.New(c.config, client.Options{Scheme: kinds})
	must(t, err, "make a client")
	c.kube, err = kubernetes.NewForConfig(c.config)
	must(t, err, "make a client")

	c.installChart(t, helm, values)
	c.controller = c.startController(t, kinds)
	for _, name := range []string{"node-1", "node-2"} {
		c.create(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelTopologyRegion: "westeurope", corev1.LabelTopologyZone: "1", corev1.LabelInstanceTypeStable: "Standard_D2s_v5",
		}}})
	}
	return c
}

// startAPIServer starts an API server, after some changes of its flags. It signs ServiceAccount tokens with an ECDSA key.
func startAPIServer(t *testing.T, changes ...func(*envtest.Arguments)) *envtest.Environment {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Skip("this test needs kube-apiserver and etcd; set KUBEBUILDER_ASSETS to their folder")
	}
	environment := &envtest.Environment{BinaryAssetsDirectory: assets, ControlPlaneStopTimeout: 5 * time.Second}
	for _, change := range changes {
		change(environment.ControlPlane.GetAPIServer().Configure())
	}
	_, err := environment.Start()
	must(t, err, "start the API server")
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error("stop the API server:", err)
		}
	})
	return environment
}

// installChart installs the chart, and removes the webhooks, because they have no server here.
func (c *cluster) installChart(t *testing.T, helm string, values []string) {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, os.WriteFile(kubeconfig, c.environment.KubeConfig, 0o600), "write the kubeconfig")
	install := exec.CommandContext(t.Context(), helm, "install", release, chartPath,
		"--kubeconfig", kubeconfig, "--namespace", namespace, "--create-namespace", "--set", strings.Join(values, ","))
	home := t.TempDir()
	install.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	output, err := install.CombinedOutput()
	must(t, err, "install the chart: %s", output)

	installed := metav1.ObjectMeta{Name: release}
	c.delete(t, &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: installed})
	c.delete(t, &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: installed})
}

func (c *cluster) create(t *testing.T, object client.Object) {
	t.Helper()
	must(t, c.Create(t.Context(), object), "create %T %s", object, object.GetName())
}

// delete deletes at once: no kubelet ends pods here.
func (c *cluster) delete(t *testing.T, object client.Object) {
	t.Helper()
	must(t, c.Delete(t.Context(), object, client.GracePeriodSeconds(0)), "delete %T %s", object, object.GetName())
}

func must(t *testing.T, err error, format string, arguments ...any) {
	t.Helper()
	if err != nil {
		t.Fatalf(format+": %v", append(arguments, err)...)
	}
}

// eventually repeats a check until it returns nil, for a minute at the most.
func eventually(t *testing.T, what string, wrong func() error) {
	t.Helper()
	within(t, time.Minute, what, wrong)
}

// within does the same for another time.
func within(t *testing.T, limit time.Duration, what string, wrong func() error) {
	t.Helper()
	deadline := time.After(limit)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := wrong()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s: timed out after %s: %v", what, limit, err)
		}
	}
}
