package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// nobody is neither root nor the sidecar's user.
const nobody = 65534

// testPort80IsTheApplications runs web servers on port 80 in injected Deployments with probes and a Service: each works
// as without IMDS, and each pod gets tokens as without a web server.
func testPort80IsTheApplications(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-web", home)
	var clients []*corev1.Pod
	for _, node := range c.nodes {
		clients = append(clients, c.start(t, newProbePod(c, home, "client-"+node, "wait").onNode(node)))
	}
	for name, server := range map[string]webServer{
		"probe-ipv4":               goServer("0.0.0.0:80"),
		"probe-ipv6-not-root":      goServer("[::]:80").asUser(nobody).allowedBySysctl(),
		"probe-loopback-not-root":  goServer("127.0.0.1:80").asUser(nobody).allowedBySysctl(),
		"nginx-ipv4":               nginx("0.0.0.0:80"),
		"nginx-ipv6-by-capability": nginx("[::]:80").asUser(nobody).allowedByFile(),
		"nginx-loopback":           nginx("127.0.0.1:80"),
		"apache-ipv6":              apache("[::]:80"),
		"apache-ipv4-not-root":     apache("0.0.0.0:80").asUser(nobody).allowedBySysctl(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := c.deploy(t, newProbePod(c, home, name, "wait").withIdentity(identity.Name).serving(c, server))
			c.serves(t, pod, "127.0.0.1", server)
			if server.local() {
				c.refuses(t, pod, pod.Status.PodIP)
			} else {
				c.serves(t, pod, pod.Status.PodIP, server)
			}
			c.servesIMDS(t, pod)
			if token := c.token(t, pod, "https://vault.azure.net"); strings.Count(token, ".") != 2 {
				t.Errorf("token of the SDK = %q", token)
			}
			if !server.local() {
				for _, from := range clients {
					c.serves(t, from, name, server)
				}
			}
			c.neverRestarted(t, pod)
		})
	}
}

// serves waits until the web server answers at a host, both for a page and for a path of IMDS.
func (c *cluster) serves(t *testing.T, from *corev1.Pod, host string, server webServer) {
	t.Helper()
	for path, status := range map[string]int{"/": http.StatusOK, "/metadata/instance?api-version=2021-02-01": 0} {
		eventually(t, time.Minute, "the server answers at "+host, func(ctx context.Context) error {
			a, err := c.get(ctx, from, "--header", "Metadata: true", "http://"+host+path)
			if err != nil {
				return err
			}
			if !strings.HasPrefix(a.Headers.Get("Server"), server.header) || (status != 0 && a.Status != status) {
				return fmt.Errorf("%s: got %+v", path, a)
			}
			return nil
		})
	}
}

// refuses checks that an address refuses connections.
func (c *cluster) refuses(t *testing.T, from *corev1.Pod, address string) {
	t.Helper()
	a, err := c.get(t.Context(), from, "http://"+address)
	must(t, err, "send a request to %s", address)
	if !strings.Contains(a.Error, "connection refused") {
		t.Errorf("%s: got %+v, want connection refused", address, a)
	}
}

// servesIMDS requests a path of IMDS and a page of the web server from IMDS's address.
func (c *cluster) servesIMDS(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	c.granted(t, pod, "https://vault.azure.net")
	page, err := c.get(t.Context(), pod, "http://169.254.169.254/")
	must(t, err, "request a page from IMDS")
	if page.Status == http.StatusOK || !strings.HasPrefix(page.Headers.Get("Server"), "IMDS/") {
		t.Errorf("page from IMDS: got %+v", page)
	}
}

// neverRestarted checks that no container of a pod was restarted.
func (c *cluster) neverRestarted(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(pod), pod), "read the pod")
	for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if status.RestartCount > 0 {
			t.Errorf("container %s was restarted %d times: it ended with %+v",
				status.Name, status.RestartCount, status.LastTerminationState)
		}
	}
}
