package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-imds/kube-imds/internal/testing/address"
)

// patience bounds what a test waits for.
const patience = time.Minute

// publishAhead is how long a certificate of the authority is published before it signs.
const publishAhead = "3s"

// replica is a process of the controller. It acts as the chart's ServiceAccount.
type replica struct {
	binary, kubeconfig, logPath string

	webhook, metrics, health string

	process *exec.Cmd
	ended   chan error
}

// build builds the controller, and writes its kubeconfig.
func (s *system) build() error {
	if output, err := exec.Command("go", "build", "-o", s.binary(), "../../../cmd/controller").CombinedOutput(); err != nil {
		return fmt.Errorf("build the controller: %w\n%s", err, output)
	}
	return writeKubeconfig(s.kubeconfig(), s.config)
}

func (s *system) binary() string     { return filepath.Join(s.folder, "controller") }
func (s *system) kubeconfig() string { return filepath.Join(s.folder, "kubeconfig") }

// newReplica prepares a replica with free addresses.
func (s *system) newReplica(name string) (*replica, error) {
	r := &replica{binary: s.binary(), kubeconfig: s.kubeconfig(), logPath: filepath.Join(s.folder, name+".log")}
	addresses, err := address.Free(3)
	if err != nil {
		return nil, err
	}
	r.webhook, r.metrics, r.health = addresses[0], addresses[1], addresses[2]
	s.replicas = append(s.replicas, r)
	return r, nil
}

// writeKubeconfig writes a kubeconfig that acts as the chart's ServiceAccount.
func writeKubeconfig(path string, config *rest.Config) error {
	const name = "envtest"
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			name: {Server: config.Host, CertificateAuthorityData: config.CAData},
		},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			ClientCertificateData: config.CertData, ClientKeyData: config.KeyData,
			Impersonate: "system:serviceaccount:" + namespace + ":" + release + "-controller",
		}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, path)
	if err != nil {
		return fmt.Errorf("write the controller's kubeconfig: %w", err)
	}
	return nil
}

// start starts the replica, and waits until it is ready.
func (r *replica) start() error {
	log, err := os.OpenFile(r.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	_, webhookPort, err := net.SplitHostPort(r.webhook)
	if err != nil {
		return err
	}
	r.process = exec.Command(r.binary,
		"--name="+release, "--namespace="+namespace, "--tenant-id="+tenant, "--subscription-id="+subscription,
		"--sidecar-image="+sidecarImage, "--webhook-port="+webhookPort, "--authority-publish-ahead="+publishAhead,
		"--metrics-address="+r.metrics, "--health-address="+r.health, "--log-level=debug")
	r.process.Env = append(os.Environ(), "KUBECONFIG="+r.kubeconfig)
	r.process.Stdout, r.process.Stderr = log, log
	if err := r.process.Start(); err != nil {
		return fmt.Errorf("start the controller: %w", err)
	}
	ended := make(chan error, 1)
	r.ended = ended
	go func(process *exec.Cmd) { ended <- process.Wait() }(r.process)
	return r.waitUntilReady()
}

func (r *replica) waitUntilReady() error {
	err := wait.PollUntilContextTimeout(context.Background(), 100*time.Millisecond, patience, true,
		func(context.Context) (bool, error) {
			select {
			case err := <-r.ended:
				r.ended <- err
				return false, fmt.Errorf("the controller ended: %w", errors.Join(err, errors.New("see its log")))
			default:
				return r.status("/readyz") == http.StatusOK, nil
			}
		})
	if err != nil {
		return errors.Join(fmt.Errorf("wait for the controller: %w\n%s", err, r.log()), r.stop())
	}
	return nil
}

// status returns the status of a health endpoint; 0 without an answer.
func (r *replica) status(path string) int {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get("http://" + r.health + path)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// stop sends the controller SIGTERM, and returns how it ended.
func (r *replica) stop() error {
	if r.process == nil {
		return nil
	}
	if err := r.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the controller: %w", err)
	}
	r.process = nil
	if err := <-r.ended; err != nil {
		return fmt.Errorf("the controller ended with: %w", err)
	}
	return nil
}

// log returns the controller's log.
func (r *replica) log() string {
	text, err := os.ReadFile(r.logPath)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
