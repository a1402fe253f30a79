package issuer

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
)

// sidecarProcess is the sidecar's binary with the credentials of a pod.
type sidecarProcess struct {
	url string
	log *output
}

// startSidecar starts the sidecar of a pod, and waits until it is ready.
func (i *issuerProcess) startSidecar(t *testing.T, program string, pod *corev1.Pod) *sidecarProcess {
	t.Helper()
	way, address := i.wayFrom(t, pod.Status.PodIP), freeAddresses(t, 1)[0]
	tokenFile := filepath.Join(t.TempDir(), settings.Token)
	bearer := i.bearer(t, pod)
	i.keepSecret(bearer)
	must(t, os.WriteFile(tokenFile, []byte(bearer), 0o600), "write the sidecar's token")
	i.renewToken(t, pod, toPod(pod).forIssuer(), tokenFile)

	s := &sidecarProcess{url: "http://" + address, log: &output{}}
	command := exec.Command(program, settings.Serve, "--"+settings.Listen, address)
	command.Env = append(os.Environ(), settings.IssuerURL+"="+way.URL, settings.TokenFile+"="+tokenFile,
		settings.IssuerCA+"="+string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: way.Certificate().Raw})))
	command.Stdout, command.Stderr = s.log, s.log
	must(t, command.Start(), "start the sidecar")
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
		if t.Failed() {
			t.Logf("the log of the sidecar of pod %s:\n%s", pod.Name, s.log)
		}
	})
	output, err := exec.CommandContext(t.Context(), program, settings.Ready, "--address", address, "--wait", "30s").CombinedOutput()
	must(t, err, "wait for the sidecar: %s", output)
	return s
}

// wayFrom leads from a pod's sidecar to the issuer. It stands in for the cluster's DNS and the pod's network: a sidecar finds the issuer
// by a Service's name, and connects from the pod's address.
func (i *issuerProcess) wayFrom(t *testing.T, address string) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.Out.URL.Scheme, request.Out.URL.Host, request.Out.Host = "https", issuerHost, issuerHost
		},
		Transport: i.clientAt(address).Transport,
		ErrorLog:  log.New(io.Discard, "", 0),
	})
	t.Cleanup(server.Close)
	return server
}

// renewEvery is how often tokens in files are renewed, some times in their life.
const renewEvery = issuerapi.TokenSeconds * time.Second / 3

// renewToken keeps a pod's token in a file fresh until the test ends, as kubelet does.
func (c *cluster) renewToken(t *testing.T, pod *corev1.Pod, b binding, path string) {
	t.Helper()
	var renewing sync.WaitGroup
	t.Cleanup(renewing.Wait)
	renewing.Go(func() {
		ticker := time.NewTicker(renewEvery)
		defer ticker.Stop()
		for {
			select {
			case <-t.Context().Done():
				return
			case <-ticker.C:
			}
			if err := c.replaceToken(t.Context(), pod, b, path); err != nil && t.Context().Err() == nil {
				t.Errorf("renew the token of pod %s: %v", pod.Name, err)
			}
		}
	})
}

func (c *cluster) replaceToken(ctx context.Context, pod *corev1.Pod, b binding, path string) error {
	token, err := c.requestToken(ctx, pod, b, issuerapi.TokenSeconds)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", []byte(token), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
