package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
)

// TestInAPod runs the image's binary like an injected pod, in a network namespace:
// net-init with NET_ADMIN only, then serve and ready without capabilities, none of them as root. Port 80 is an
// application's.
func TestInAPod(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make network namespaces and give files capabilities")
	}
	program := withFileCapability(t, buildSidecar(t))
	inNamespace(t, func() {
		setUpPod(t)
		serveApplication(t)
		issuer := newFakeIssuer(t)
		trusted := t.TempDir()
		if err := os.Chmod(trusted, 0o777); err != nil {
			t.Fatal(err)
		}
		environment := []string{
			"KUBE_IMDS_ISSUER_URL=" + issuer.URL, "KUBE_IMDS_ISSUER_CA=" + issuer.authority(),
			"KUBE_IMDS_TOKEN_FILE=" + issuer.tokenFile, "POD_IPS=10.244.1.7",
			"KUBE_IMDS_TRUST_FOLDER=" + trusted,
		}
		privileged := launchSpec{Program: program, User: nonRoot, Capabilities: netAdmin}
		restricted := launchSpec{Program: program, User: nonRoot, Environment: environment}

		if output, err := privileged.command(t, "net-init", "--redirect-to=15780").CombinedOutput(); err != nil {
			t.Errorf("net-init: %v\n%s", err, output)
			return
		}
		serve := restricted.command(t, "serve")
		var log buffer
		serve.Stderr = &log
		if err := serve.Start(); err != nil {
			t.Errorf("serve: %v", err)
			return
		}
		if output, err := restricted.command(t, "ready", "--wait", "8s").CombinedOutput(); err != nil {
			t.Errorf("ready: %v\n%s", err, output)
		}
		if own, err := os.ReadFile(filepath.Join(trusted, "ca.crt")); err != nil || string(own) != issuer.authority() {
			t.Errorf("when applications start they are to trust %q, error %v", own, err)
		}
		if status, body := askInPod(t, "127.0.0.1:80", tokenOfVault); status != http.StatusTeapot {
			t.Errorf("port 80 of the application: %d %s", status, body)
		}
		if status, body := askInPod(t, imdsAddress, tokenOfVault); status != http.StatusOK || !strings.Contains(body, accessToken) {
			t.Errorf("a token: %d %s", status, body)
		}
		if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := serve.Wait(); err != nil {
			t.Errorf("serve ended with %v\n%s", err, log.String())
		}
	})
}

// setUpPod sets lo up, as a container runtime does.
func setUpPod(t *testing.T) {
	loopback, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(loopback)
	}
	if err != nil {
		t.Errorf("set up the pod's network: %v", err)
	}
}

// serveApplication serves on port 80 of all addresses in the calling thread's namespace, like a web server.
func serveApplication(t *testing.T) {
	listener, err := net.Listen("tcp", "0.0.0.0:80")
	if err != nil {
		t.Errorf("start the application: %v", err)
		return
	}
	application := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	})}
	go application.Serve(listener)
	t.Cleanup(func() { application.Close() })
}

// askInPod sends a request from the calling thread's namespace. An http.Client might use another thread.
func askInPod(t *testing.T, address, target string) (status int, body string) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer connection.Close()
	fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: true\r\n\r\n", target)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, string(content)
}
