package issuer

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-imds/kube-imds/internal/testing/address"
)

// issuerProcess is the issuer's binary with the credentials of an issuer's pod.
type issuerProcess struct {
	*cluster
	http    *http.Client
	address string

	command *exec.Cmd
	ended   chan error
	log     *output
	health  string
	metrics string

	// signerTokenFile has its token for the signer.
	signerTokenFile string

	mu      sync.Mutex
	secrets []string
}

// startIssuer starts the issuer of a node, and waits until it is ready.
func (c *cluster) startIssuer(t *testing.T, node string, arguments ...string) *issuerProcess {
	t.Helper()
	return c.startIssuerOf(t, node, c.config.Host, arguments...)
}

// startIssuerOf starts it with another URL of the API server.
func (c *cluster) startIssuerOf(t *testing.T, node, apiServer string, arguments ...string) *issuerProcess {
	t.Helper()
	addresses, pod := freeAddresses(t, 3), c.partPod(t, "issuer", node)
	i := &issuerProcess{cluster: c, ended: make(chan error, 1), log: &output{}, signerTokenFile: c.signerToken(t, pod),
		metrics: "http://" + addresses[1] + "/metrics", health: "http://" + addresses[2] + "/readyz"}
	i.command = exec.Command(c.issuer, append([]string{"--node-name=" + node, "--namespace=" + namespace,
		"--subscription-id=subscription", "--resource-group=group", "--signer-address=" + c.signerAddress,
		"--signer-token-file=" + i.signerTokenFile,
		"--listen=" + addresses[0], "--metrics-address=" + addresses[1], "--health-address=" + addresses[2]}, arguments...)...)
	i.command.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig(t, pod, apiServer))
	i.command.Stdout, i.command.Stderr = i.log, i.log
	i.address = addresses[0]
	i.http = i.clientAt(podAddress)
	must(t, i.command.Start(), "start the issuer")
	go func() { i.ended <- i.command.Wait() }()
	t.Cleanup(func() { i.end(t) })
	eventually(t, "the issuer is ready", i.ready)
	return i
}

// clientAt returns a client that connects from an address.
func (i *issuerProcess) clientAt(source string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, i.address)
		},
		TLSClientConfig: &tls.Config{RootCAs: i.controller.bundle().Pool(), MinVersion: tls.VersionTLS13},
	}}
}

// end stops the issuer unless it is stopped already, and checks that its log contains no token.
func (i *issuerProcess) end(t *testing.T) {
	t.Helper()
	if i.command.ProcessState == nil {
		_ = i.command.Process.Signal(syscall.SIGTERM)
		<-i.ended
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, secret := range i.secrets {
		if strings.Contains(i.log.String(), secret) {
			t.Errorf("the issuer's log contains a token")
		}
	}
	if t.Failed() {
		t.Logf("the issuer's log:\n%s", i.log)
	}
}

func (i *issuerProcess) ready() error {
	_, err := read(i.health)
	return err
}

// read reads a public document.
func read(url string) (string, error) {
	client := &http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("got %s %s", response.Status, body)
	}
	return string(body), err
}

// keepSecret records a token that must not appear in the log.
func (i *issuerProcess) keepSecret(token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.secrets = append(i.secrets, token)
}

// partPod creates a pod of one of our parts.
func (c *cluster) partPod(t *testing.T, part, node string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: release + "-" + part + "-" + node},
		Spec: corev1.PodSpec{
			NodeName: node, ServiceAccountName: release + "-" + part,
			Containers: []corev1.Container{{Name: part, Image: part}},
		},
	}
	c.create(t, pod)
	return pod
}

// kubeconfig writes the credentials that kubelet gives a pod: a token bound to it, for an hour.
func (c *cluster) kubeconfig(t *testing.T, pod *corev1.Pod, apiServer string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: apiServer, CertificateAuthorityData: c.config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: c.tokenFor(t, pod, toPod(pod), 3600)}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}, path), "write the kubeconfig of pod %s", pod.Name)
	return path
}

// signerToken returns the file with an issuer's token for the signer.
func (c *cluster) signerToken(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(path, []byte(c.token(t, pod, toPod(pod).forSigner())), 0o600), "write an issuer's token for the signer")
	return path
}

// builds are the programs of the parts that were built, by the parts' names.
var builds = struct {
	mu     sync.Mutex
	folder string
	paths  map[string]string
}{paths: map[string]string{}}

// TestMain removes what was built.
func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(builds.folder)
	os.Exit(code)
}

// buildPart builds the program of a part, once for all tests, and returns its path.
func buildPart(t *testing.T, part string) string {
	t.Helper()
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if path := builds.paths[part]; path != "" {
		return path
	}
	if builds.folder == "" {
		var err error
		builds.folder, err = os.MkdirTemp("", "kube-imds-parts-")
		must(t, err, "make a folder for the programs")
	}
	path := filepath.Join(builds.folder, part)
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../../cmd/"+part).CombinedOutput()
	must(t, err, "build the %s: %s", part, output)
	builds.paths[part] = path
	return path
}

// freeAddresses returns free loopback addresses.
func freeAddresses(t *testing.T, count int) []string {
	t.Helper()
	addresses, err := address.Free(count)
	must(t, err, "find free addresses")
	return addresses
}

// output collects a process's output.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
