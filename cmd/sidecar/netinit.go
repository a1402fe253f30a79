package main

import (
	"flag"

	"github.com/kube-imds/kube-imds/internal/podnet"
)

// netInit adds IMDS's address to lo. It is the one part of kube-imds that has a capability, and it has exited before
// anything else in the pod runs.
func netInit(arguments []string) error {
	if err := parse(flag.NewFlagSet("net-init", flag.ContinueOnError), arguments); err != nil {
		return err
	}
	return podnet.AddAddress()
}
