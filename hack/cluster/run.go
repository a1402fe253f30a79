package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/process"
)

// newRunCommand gives a command its own cluster. Its process is outside the cluster's control group, so that it survives
// the cluster; the command's is inside, so that a later run ends what a killed run left.
func newRunCommand() *cobra.Command {
	var target string
	var keep bool
	command := &cobra.Command{
		Use:   "run --for TARGET [--keep] -- COMMAND...",
		Short: "Run a command with its own cluster, and take that down again; needs root",
		Long: "Run a command with its own cluster, and take that down again. The cluster's name is of the target and this\n" +
			"checkout; what an earlier run left under it is taken down first. The command finds KUBECONFIG in its environment,\n" +
			"and in CLUSTER the command line by which it may speak of the cluster, such as \"$CLUSTER load ARCHIVE\".",
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, work []string) error {
			checkout, err := findRepository()
			if err != nil {
				return err
			}
			c, err := newCluster(ownName(target, checkout))
			if err != nil {
				return err
			}
			return c.inTurn(command.Context(), func() error {
				return newTenancy(c, target, keep, work).run(command.Context())
			})
		},
	}
	command.Flags().StringVar(&target, "for", "", "what it is for: a `target` of the Makefile")
	command.Flags().BoolVar(&keep, "keep", false, "leave the cluster up")
	_ = command.MarkFlagRequired("for")
	return command
}

// ownName returns the name of a checkout's cluster for a target.
func ownName(target, checkout string) string {
	if real, err := filepath.EvalSymlinks(checkout); err == nil {
		checkout = real
	}
	sum := sha256.Sum256([]byte(checkout))
	return target + "-" + hex.EncodeToString(sum[:4])
}

// tenancy is a command's use of a cluster, which does not exist before and after it.
type tenancy struct {
	clear, down func() error
	up, work    func(context.Context) error

	// kept, if set, reports the cluster, which then stays.
	kept func()
}

func newTenancy(c *cluster, target string, keep bool, work []string) tenancy {
	t := tenancy{
		clear: func() error {
			if _, err := os.Stat(c.Root); err == nil {
				say("an earlier run left cluster %s: taking it down", c.Name)
			}
			// A run that was killed early has processes, but no folder yet.
			return c.exclusively(c.remove)
		},
		up:   func(ctx context.Context) error { return c.upBeside(ctx) },
		work: func(ctx context.Context) error { return c.do(ctx, work) },
		down: func() error { return c.exclusively(c.down) },
	}
	if keep {
		t.kept = func() {
			say("\ncluster %[1]s stays, until `make %[2]s` is run here again:\n\n  export KUBECONFIG=%[3]s\n"+
				"  go -C hack run ./cluster --name %[1]s status\n  go -C hack run ./cluster --name %[1]s down",
				c.Name, target, c.Kubeconfig())
		}
	}
	return t
}

// run removes what a killed run left, starts the cluster, runs the work, and takes the cluster down even after a failure.
func (t tenancy) run(ctx context.Context) error {
	if err := t.clear(); err != nil {
		// What is left may not be in the way.
		say("%v", err)
	}
	err := t.up(ctx)
	if err == nil {
		err = t.work(ctx)
	}
	if t.kept != nil {
		t.kept()
		return err
	}
	return errors.Join(err, t.down())
}

// endDeadline bounds how long a command takes to end after it is asked to.
const endDeadline = 30 * time.Second

// upBeside starts the cluster in another process.
func (c *cluster) upBeside(ctx context.Context) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	command := exec.CommandContext(ctx, executable, "up", "--name", c.Name)
	if err := runInForeground(command); err != nil {
		return fmt.Errorf("bring cluster %s up: %w", c.Name, err)
	}
	return nil
}

// do runs a command in the cluster's control group.
func (c *cluster) do(ctx context.Context, work []string) error {
	program, err := exec.LookPath(work[0])
	if err != nil {
		return err
	}
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	command := process.InGroup(ctx, c.Launcher(), c.CommandCgroup(), append([]string{program}, work[1:]...))
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(), "CLUSTER="+c.Launcher()+" --name "+c.Name)
	if err := runInForeground(command); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(work[0]), err)
	}
	return nil
}

// runInForeground runs a command, and asks it to end when its context does.
func runInForeground(command *exec.Cmd) error {
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = endDeadline
	return command.Run()
}
