package issuer

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// part is a server of the installation that runs as its own process, with the credentials of its pod.
type part struct {
	name, address, health string
	binary                string
	arguments, env        []string
	log                   *output

	command *exec.Cmd
	ended   chan error
}

// startPart starts a part, and waits until it is ready.
func (c *cluster) startPart(t *testing.T, name string, arguments ...string) *part {
	t.Helper()
	return c.startPartOf(t, name, c.partPod(t, name, "node-2"), append([]string{"--namespace=" + namespace}, arguments...)...)
}

// startPartOf starts a program in the place of a pod, and waits until it is ready.
func (c *cluster) startPartOf(t *testing.T, name string, pod *corev1.Pod, arguments ...string) *part {
	t.Helper()
	addresses := freeAddresses(t, 3)
	p := &part{
		name: name, address: addresses[0], health: "http://" + addresses[2] + "/readyz", binary: buildPart(t, name), log: &output{},
		arguments: append([]string{
			"--tenant-id=" + tenant,
			"--listen=" + addresses[0], "--metrics-address=" + addresses[1], "--health-address=" + addresses[2],
		}, arguments...),
		env: append(os.Environ(), "KUBECONFIG="+c.kubeconfig(t, pod, c.config.Host)),
	}
	p.start(t)
	t.Cleanup(func() {
		_ = p.command.Process.Signal(syscall.SIGTERM)
		if err := <-p.ended; err != nil {
			t.Errorf("the %s ends with %v", name, err)
		}
		if t.Failed() {
			t.Logf("the log of the %s:\n%s", name, p.log)
		}
	})
	return p
}

// start starts the process, again if it was killed.
func (p *part) start(t *testing.T) {
	t.Helper()
	p.command, p.ended = exec.Command(p.binary, p.arguments...), make(chan error, 1)
	p.command.Env, p.command.Stdout, p.command.Stderr = p.env, p.log, p.log
	must(t, p.command.Start(), "start the %s", p.name)
	go func() { p.ended <- p.command.Wait() }()
	eventually(t, "the "+p.name+" is ready", func() error {
		_, err := read(p.health)
		return err
	})
}

// kill ends the process at once.
func (p *part) kill(t *testing.T) {
	t.Helper()
	must(t, p.command.Process.Kill(), "kill the %s", p.name)
	<-p.ended
}
