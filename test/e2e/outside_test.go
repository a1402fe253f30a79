package e2e

import (
	"net"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const (
	imdsAddress = "169.254.169.254"

	// loopback is where the sidecar listens.
	loopback = "127.0.0.1"
)

// testNobodyGetsInFromOutside lets privileged pods try to reach a victim's IMDS at every address that the victim has, by
// way of its pod IP and of its MAC address. That the way is open is shown by the victim's application, which serves port 80
// of all addresses.
func testNobodyGetsInFromOutside(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-victim", home)
	start := func(name, node string, arguments ...string) *corev1.Pod {
		return c.start(t, newProbePod(c, home, name, arguments...).privileged().withIdentity(identity.Name).onNode(node))
	}
	victim := start("victim", c.nodes[0], "listen", "0.0.0.0:80")
	careless := start("careless", c.nodes[0], "listen", "0.0.0.0:80")
	_, err := c.exec(t.Context(), careless, "sysctl", "net.ipv4.conf.all.route_localnet=1")
	must(t, err, "have a victim take what strangers send to its loopback address")
	attacker := func(name, node string) *corev1.Pod {
		return c.start(t, newProbePod(c, home, name, "wait").privileged().onNode(node))
	}
	neighbour, stranger := attacker("neighbour", c.nodes[0]), attacker("stranger", c.nodes[1])

	byIP, byMAC := []string{"--via"}, []string{"--by-mac", "--via"}
	for _, attack := range []attack{
		{"same node, by the pod's IP", neighbour, victim, byIP, []string{imdsAddress}, []string{loopback}},
		{"same node, to the pod's MAC address", neighbour, victim, byMAC, []string{imdsAddress}, []string{loopback}},
		{"same node, by the pod's IP, loopback not guarded", neighbour, careless, byIP, []string{imdsAddress, loopback}, nil},
		{"same node, to the pod's MAC address, loopback not guarded", neighbour, careless, byMAC,
			[]string{imdsAddress, loopback}, nil},
		{"other node, by the pod's IP", stranger, victim, byIP, nil, []string{imdsAddress, loopback}},
		{"same node, at the pod's IP", neighbour, victim, nil, []string{victim.Status.PodIP}, nil},
		{"other node, at the pod's IP", stranger, victim, nil, []string{victim.Status.PodIP}, nil},
	} {
		t.Run(attack.name, func(t *testing.T) {
			c.watchWhile(t, attack.victim, func() { attack.run(t, c) })
		})
	}
}

// attack is a way to a victim.
type attack struct {
	name         string
	from, victim *corev1.Pod

	// way are the flags that the victim's IP follows; none is the pod network's own way.
	way []string

	// open are the victim's addresses that can be reached this way, and closed those that cannot.
	open, closed []string
}

// run shows that all that is reached is the application, and where it listens.
func (a attack) run(t *testing.T, c *cluster) {
	t.Helper()
	for _, address := range slices.Concat(a.open, a.closed) {
		got := a.connect(t, c, address, "80")
		switch reached := slices.Contains(a.open, address); {
		case reached && got != "answered: open":
			t.Errorf("the victim's application was not reached at %s, so the attack shows nothing: %s", address, got)
		case !reached && !strings.HasPrefix(got, "nothing: "):
			t.Errorf("a stranger was answered at %s: %s", address, got)
		}
		if got := a.connect(t, c, address, sidecarPort); !strings.HasPrefix(got, "nothing: ") {
			t.Errorf("the victim's IMDS answered a stranger at %s, port %s: %s", address, sidecarPort, got)
		}
	}
}

func (a attack) connect(t *testing.T, c *cluster, address, port string) string {
	t.Helper()
	arguments := []string{"connect", "--address", net.JoinHostPort(address, port)}
	if a.way != nil {
		arguments = append(append(arguments, a.way...), a.victim.Status.PodIP)
	}
	output, err := c.exec(t.Context(), a.from, arguments...)
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
