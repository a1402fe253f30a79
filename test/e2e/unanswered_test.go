package e2e

import (
	"net"
	"strings"
	"testing"
)

// testOnlyPort80IsAnswered checks that all other ports of 169.254.169.254 refuse at once: a black hole would
// make SDKs wait that look for another service there.
func testOnlyPort80IsAnswered(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-orders", home)
	pod := c.start(t, newProbePod(c, home, "orders", "wait").withIdentity(identity.Name))
	for network, ports := range map[string][]string{
		"tcp": {"53", "443", "8080", "32526", sidecarPort},
		"udp": {"53", "80", "123", sidecarPort},
	} {
		for _, port := range ports {
			t.Run(network+"/"+port, func(t *testing.T) {
				got, err := c.exec(t.Context(), pod, "connect", "--timeout", "1s",
					"--network", network, "--address", net.JoinHostPort(imdsAddress, port))
				must(t, err, "connect")
				if !strings.HasPrefix(got, "nothing: ") || !strings.Contains(got, "connection refused") {
					t.Errorf("not refused at once: %s", got)
				}
			})
		}
	}
	c.granted(t, pod, "https://vault.azure.net")
}
