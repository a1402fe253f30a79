package issuer

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// part is a server of the installation that runs as its own process, with the credentials of its pod.
type part struct {
	address string
	log     *output
}

// startPart starts a part, and waits until it is ready.
func (c *cluster) startPart(t *testing.T, name string, arguments ...string) *part {
	t.Helper()
	addresses := freeAddresses(t, 3)
	p := &part{address: addresses[0], log: &output{}}
	command := exec.Command(buildPart(t, name), append([]string{
		"--namespace=" + namespace, "--tenant-id=" + tenant,
		"--listen=" + addresses[0], "--metrics-address=" + addresses[1], "--health-address=" + addresses[2],
	}, arguments...)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig(t, c.partPod(t, name, "node-2"), c.config.Host))
	command.Stdout, command.Stderr = p.log, p.log
	must(t, command.Start(), "start the %s", name)
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("the %s ends with %v", name, err)
		}
		if t.Failed() {
			t.Logf("the log of the %s:\n%s", name, p.log)
		}
	})
	eventually(t, "the "+name+" is ready", func() error {
		_, err := read("http://" + addresses[2] + "/readyz")
		return err
	})
	return p
}
