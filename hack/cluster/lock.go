package main

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// exclusively runs what changes the cluster, one at a time. The lock is a socket without a file: it leaves nothing
// behind, and the kernel releases it with the process that holds it, however that ends.
func (c *cluster) exclusively(change func() error) error {
	lock, err := net.Listen("unix", "@kube-imds/cluster/"+c.Name)
	if errors.Is(err, unix.EADDRINUSE) {
		return fmt.Errorf("another command is changing cluster %s: wait for it, or end it", c.Name)
	}
	if err != nil {
		return fmt.Errorf("lock cluster %s: %w", c.Name, err)
	}
	defer lock.Close()
	return change()
}
