package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// testPortSysctlIsThePods checks that the pod's own processes may listen on the same ports as without IMDS, and that a
// pod's own value remains.
func testPortSysctlIsThePods(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-orders", home)
	node := c.nodes[0]
	without := c.portSysctl(t, c.start(t, newProbePod(c, home, "without-imds", "wait").onNode(node)))
	for name, test := range map[string]struct{ own, want string }{
		"by-default":        {"", without},
		"of-its-own":        {"443", "443"},
		"of-its-own-no-one": {"1024", "1024"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			probe := newProbePod(c, home, name, "wait").withIdentity(identity.Name).onNode(node)
			if test.own != "" {
				probe = probe.withPortSysctl(test.own)
			}
			pod := c.start(t, probe)
			if got := c.portSysctl(t, pod); got != test.want {
				t.Errorf("%s = %s, want %s", portSysctl, got, test.want)
			}
			c.granted(t, pod, "https://vault.azure.net")
		})
	}
}

func (c *cluster) portSysctl(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	value, err := c.exec(t.Context(), pod, "sysctl", portSysctl)
	must(t, err, "read %s", portSysctl)
	return value
}
