package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/addons"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/cgroup"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/components"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/credentials"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/machine"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/network"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/process"
)

// up starts what is missing of the cluster. Each step leaves alone what exists.
func (c *cluster) up(ctx context.Context) error {
	start := time.Now()
	if err := installPackages(ctx); err != nil {
		return err
	}
	if err := c.clearAfterReboot(); err != nil {
		return err
	}
	if err := c.enterCgroup(); err != nil {
		return err
	}
	repository, err := findRepository()
	if err != nil {
		return err
	}
	builder, err := newBuilder(repository)
	if err != nil {
		return err
	}
	folder, err := builder.Build(ctx)
	if err != nil {
		return err
	}
	say("starting cluster %s", c.Name)
	if err := c.prepare(folder, repository); err != nil {
		return err
	}
	archives, err := addons.Images(c.Path("images"), folder, filepath.Join(repository, "hack", "cluster"), components.PauseImage)
	if err != nil {
		return err
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	if err := c.startNodes(ctx, archives); err != nil {
		return err
	}
	if err := c.startAddons(ctx); err != nil {
		return err
	}
	say("cluster %s is ready after %.0f s\n\n  export KUBECONFIG=%s", c.Name, time.Since(start).Seconds(), c.Kubeconfig())
	return nil
}

// enterCgroup moves this program into the cluster's control group, so that its builds and clients end with the cluster even
// if it is killed.
func (c *cluster) enterCgroup() error {
	if err := cgroup.Make(c.CommandCgroup()); err != nil {
		return err
	}
	return cgroup.Enter(c.CommandCgroup())
}

// prepare creates everything that the daemons need.
func (c *cluster) prepare(binaries, checkout string) error {
	if err := machine.Exclusively(func() error { return c.enter(binaries, checkout) }); err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	// With go run this program is removed when it ends, but daemons are started later too.
	if err := copyFile(executable, c.Launcher(), 0o755); err != nil {
		return err
	}
	if err := cgroup.Make(c.DaemonCgroup()); err != nil {
		return err
	}
	if err := network.Make(c.Layout); err != nil {
		return err
	}
	if err := c.issueCredentials(); err != nil {
		return err
	}
	for _, node := range c.Nodes() {
		if err := errors.Join(cgroup.Make(node.Cgroup), c.components.WriteNode(node)); err != nil {
			return err
		}
	}
	return nil
}

// enter makes the cluster known to others, and saves what it will change of the machine.
func (c *cluster) enter(binaries, checkout string) error {
	if err := os.MkdirAll(c.Root, 0o755); err != nil {
		return fmt.Errorf("make the cluster's folder: %w", err)
	}
	return errors.Join(c.remember(binaries, checkout), sysctls.Save())
}

// clearAfterReboot removes what a reboot left of the cluster: its folder, without processes.
func (c *cluster) clearAfterReboot() error {
	boot, err := machine.BootID()
	if err != nil {
		return err
	}
	if c.state.BootID == "" || c.state.BootID == boot {
		return nil
	}
	say("the machine was started again since cluster %s was: clearing it away", c.Name)
	return c.down()
}

// issueCredentials creates certificates and kubeconfigs once. The administrator's kubeconfig comes last: if it exists, all
// exist.
func (c *cluster) issueCredentials() error {
	folder := c.components.Credentials()
	if _, err := os.Stat(c.Kubeconfig()); err == nil {
		return nil
	}
	authority, err := credentials.NewAuthority(folder)
	if err != nil {
		return err
	}
	subjects := []credentials.Subject{
		{Name: "apiserver", Addresses: []string{
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + layout.ClusterDomain,
			layout.APIServiceIP, layout.HubIP, "127.0.0.1"}},
		{Name: "apiserver-kubelet-client", Groups: []string{"system:masters"}},
		{Name: "admin", Groups: []string{"system:masters"}},
		{Name: "controller-manager", CommonName: "system:kube-controller-manager"},
		{Name: "scheduler", CommonName: "system:kube-scheduler"},
		{Name: "kube-proxy", CommonName: "system:kube-proxy"},
	}
	for _, node := range c.Nodes() {
		subjects = append(subjects, credentials.Subject{
			Name: node.Name, CommonName: "system:node:" + node.Name, Groups: []string{"system:nodes"}})
	}
	for _, subject := range subjects {
		if err := authority.Issue(subject); err != nil {
			return err
		}
		if err := credentials.WriteKubeconfig(folder, subject.Name, components.APIServerURL(), c.Name); err != nil {
			return err
		}
	}
	if err := authority.WriteServiceAccountKey(); err != nil {
		return err
	}
	content, err := credentials.Kubeconfig(folder, "admin", "https://"+c.state.Address, c.Name)
	if err != nil {
		return err
	}
	return replaceFile(c.Kubeconfig(), content, 0o600)
}

func (c *cluster) startControlPlane(ctx context.Context) error {
	for _, daemon := range append(c.components.ControlPlane(), c.forwarder()) {
		if err := c.supervisor.Start(ctx, daemon, startDeadline); err != nil {
			return err
		}
		say("%s is ready", daemon.Name)
	}
	return nil
}

// forwarder makes the API server reachable on a loopback address of the machine.
func (c *cluster) forwarder() process.Daemon {
	return process.Daemon{
		Name: "forwarder",
		Command: []string{c.Launcher(), "forward", "--listen", c.state.Address,
			"--namespace", c.Hub(), "--target", fmt.Sprintf("%s:%d", layout.HubIP, layout.APIPort)},
		Ready: func(ctx context.Context) error {
			connection, err := new(net.Dialer).DialContext(ctx, "tcp", c.state.Address)
			if err != nil {
				return fmt.Errorf("connect to it: %w", err)
			}
			return connection.Close()
		},
	}
}

// startNodes starts the nodes in parallel. A node gets its images before its kubelet asks for them.
func (c *cluster) startNodes(ctx context.Context, archives []string) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range c.Nodes() {
		group.Go(func() error {
			for i, daemon := range c.components.Node(node) {
				if err := c.supervisor.Start(ctx, daemon, startDeadline); err != nil {
					return err
				}
				if i == 0 {
					if err := c.loadInto(ctx, node, archives); err != nil {
						return err
					}
				}
				say("%s is ready", daemon.Name)
			}
			return nil
		})
	}
	return group.Wait()
}

// startAddons applies DNS, and waits until the nodes and DNS are ready.
func (c *cluster) startAddons(ctx context.Context) error {
	manifests, err := addons.Manifests()
	if err != nil {
		return err
	}
	apply := c.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", "-")
	apply.Stdin = bytes.NewReader(manifests)
	for _, command := range []*exec.Cmd{
		apply,
		c.kubectl(ctx, "wait", "--for=create", "--timeout=60s", "node/"+c.Nodes()[0].Name, "node/"+c.Nodes()[1].Name),
		c.kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=120s", "nodes", "--all"),
		c.kubectl(ctx, "-n", "kube-system", "rollout", "status", "--timeout=120s", "deployment/coredns"),
		c.kubectl(ctx, "-n", "default", "wait", "--for=create", "--timeout=60s", "serviceaccount/default"),
	} {
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %v: %w\n%s", command.Args[1:], err, output)
		}
	}
	say("both nodes and DNS are ready")
	return nil
}

func (c *cluster) kubectl(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(c.state.Binaries, "kubectl"), arguments...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig())
	return command
}

// say reports progress.
func say(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
}
