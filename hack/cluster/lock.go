package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/machine"
	"github.com/kube-imds/kube-imds/hack/internal/lock"
)

// exclusively runs a change of the cluster, one at a time.
func (c *cluster) exclusively(change func() error) error {
	if err := needRoot(); err != nil {
		return err
	}
	held, err := lock.Try(machine.LockPath("cluster-" + c.Name))
	if other, isHeld := errors.AsType[*lock.HeldError](err); isHeld {
		return fmt.Errorf("another command is changing cluster %s: wait for %s, or end it", c.Name, other.Holder)
	}
	if err != nil {
		return err
	}
	return machine.Tidy(errors.Join(change(), held.Release()))
}

// inTurn runs do with the cluster to itself, once no other process uses it.
func (c *cluster) inTurn(ctx context.Context, do func() error) error {
	if err := needRoot(); err != nil {
		return err
	}
	waiting := func(holder string) { say("cluster %s is another run's: waiting for %s", c.Name, holder) }
	return machine.Tidy(lock.While(ctx, machine.LockPath("run-"+c.Name), waiting, do))
}

func needRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("a local cluster needs root, for network namespaces and control groups: run this with sudo")
	}
	return nil
}
