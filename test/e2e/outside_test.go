package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const (
	imdsAddress = "169.254.169.254:80"
	// openAddress is the same address with a port on which the victim answers anybody.
	openAddress = "169.254.169.254:8099"
)

// testNobodyGetsInFromOutside lets privileged pods try to reach a victim's 169.254.169.254 by way of its pod IP and
// of its MAC address. That the way is open is shown by a port on which the victim listens unguarded.
func testNobodyGetsInFromOutside(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-victim", home)
	victim := c.start(t, newProbePod(c, home, "victim", "listen", ":8099").withIdentity(identity.Name).onNode(c.nodes[0]))
	c.granted(t, victim, "https://vault.azure.net")

	neighbour := c.start(t, newProbePod(c, home, "neighbour", "wait").privileged().onNode(c.nodes[0]))
	stranger := c.start(t, newProbePod(c, home, "stranger", "wait").privileged().onNode(c.nodes[1]))

	for _, attack := range []struct {
		name  string
		from  *corev1.Pod
		flags []string
		// open tells whether the victim's unguarded port can be reached this way.
		open bool
	}{
		{"same node, by the pod's IP", neighbour, nil, true},
		{"same node, to the pod's MAC address", neighbour, []string{"--by-mac"}, true},
		{"other node, by the pod's IP", stranger, nil, false},
	} {
		t.Run(attack.name, func(t *testing.T) {
			if attack.open {
				if got := c.attack(t, attack.from, victim, openAddress, attack.flags); !strings.HasPrefix(got, "answered: open") {
					t.Fatalf("the attack does not even reach an open port, so it shows nothing: %s", got)
				}
			}
			c.watchWhile(t, victim, func() {
				if got := c.attack(t, attack.from, victim, imdsAddress, attack.flags); !strings.HasPrefix(got, "nothing: ") {
					t.Errorf("the victim's IMDS answered a stranger: %s", got)
				}
			})
		})
	}
}

func (c *cluster) attack(t *testing.T, attacker, victim *corev1.Pod, address string, flags []string) string {
	t.Helper()
	arguments := append([]string{"connect", "--via", victim.Status.PodIP, "--address", address}, flags...)
	output, err := c.exec(t.Context(), attacker, arguments...)
	must(t, err, "attack")
	return output
}

// watchWhile asks for tokens in the pod while something happens, and fails if one of them is not served.
func (c *cluster) watchWhile(t *testing.T, pod *corev1.Pod, something func()) {
	t.Helper()
	done, failure := make(chan struct{}), make(chan string, 1)
	go func() {
		defer close(failure)
		for {
			if a, err := c.askIMDS(t.Context(), pod, "https://vault.azure.net"); err != nil || a.Status != 200 {
				failure <- strings.TrimSpace(a.Body + a.Error)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	something()
	close(done)
	if message, failed := <-failure; failed {
		t.Errorf("the pod's own request was not served at that moment: %s", message)
	}
}
