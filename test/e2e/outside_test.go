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

	// loopback is the address that the sidecar listens on.
	loopback = "127.0.0.1"
)

// testNobodyGetsInFromOutside tries to reach a victim's IMDS from privileged pods at every address of the victim, by
// way of its pod IP and its MAC address. The victim's application, which serves port 80 on all addresses, shows that the way
// is open.
func testNobodyGetsInFromOutside(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-victim", home)
	start := func(name, node string, arguments ...string) *corev1.Pod {
		return c.start(t, newProbePod(c, home, name, arguments...).privileged().withIdentity(identity.Name).onNode(node))
	}
	victim := start("victim", c.nodes[0], "listen", "0.0.0.0:80")
	careless := start("careless", c.nodes[0], "listen", "0.0.0.0:80")
	_, err := c.exec(t.Context(), careless, "sysctl", "net.ipv4.conf.all.route_localnet=1")
	must(t, err, "make a victim accept packets for its loopback address from outside")
	attacker := func(name, node string) *corev1.Pod {
		return c.start(t, newProbePod(c, home, name, "wait").privileged().onNode(node))
	}
	neighbour, remote := attacker("neighbour", c.nodes[0]), attacker("remote", c.nodes[1])

	byIP, byMAC := []string{"--via"}, []string{"--by-mac", "--via"}
	for _, attack := range []attack{
		{"same node, by the pod's IP", neighbour, victim, byIP, []string{imdsAddress}, []string{loopback}},
		{"same node, to the pod's MAC address", neighbour, victim, byMAC, []string{imdsAddress}, []string{loopback}},
		{"same node, by the pod's IP, loopback not guarded", neighbour, careless, byIP, []string{imdsAddress, loopback}, nil},
		{"same node, to the pod's MAC address, loopback not guarded", neighbour, careless, byMAC,
			[]string{imdsAddress, loopback}, nil},
		{"other node, by the pod's IP", remote, victim, byIP, nil, []string{imdsAddress, loopback}},
		{"same node, at the pod's IP", neighbour, victim, nil, []string{victim.Status.PodIP}, nil},
		{"other node, at the pod's IP", remote, victim, nil, []string{victim.Status.PodIP}, nil},
	} {
		t.Run(attack.name, func(t *testing.T) {
			c.watchWhile(t, attack.victim, func() { attack.run(t, c) })
		})
	}
}

// attack is an attacker's way to a victim.
type attack struct {
	name         string
	from, victim *corev1.Pod

	// way holds the flags before the victim's IP; nil means the pod network's own way.
	way []string

	// open holds the victim's addresses that can be reached this way, and closed the others.
	open, closed []string
}

// run checks that only the application is reached, and only where it listens.
func (a attack) run(t *testing.T, c *cluster) {
	t.Helper()
	for _, address := range slices.Concat(a.open, a.closed) {
		got := a.connect(t, c, address, "80")
		switch reached := slices.Contains(a.open, address); {
		case reached && got != "answered: open":
			t.Errorf("the victim's application was not reached at %s, so this attack shows nothing: %s", address, got)
		case !reached && !strings.HasPrefix(got, "nothing: "):
			t.Errorf("the attacker was answered at %s: %s", address, got)
		}
		if got := a.connect(t, c, address, sidecarPort); !strings.HasPrefix(got, "nothing: ") {
			t.Errorf("the victim's IMDS answered the attacker at %s, port %s: %s", address, sidecarPort, got)
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

// watchWhile requests tokens in the pod while a function runs, and fails the test if a request fails.
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
		t.Errorf("the pod's own request failed meanwhile: %s", message)
	}
}
