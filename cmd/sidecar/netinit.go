package main

import (
	"flag"
	"fmt"

	"github.com/kube-imds/kube-imds/internal/sidecar/podnet"
	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
)

// netInit makes 169.254.169.254 the pod's own: it adds the address to lo and redirects port 80 to the sidecar. It is the
// only part with a capability, and it exits before anything else in the pod runs.
func netInit(arguments []string) error {
	flags := flag.NewFlagSet(settings.NetInit, flag.ContinueOnError)
	port := flags.Uint(settings.RedirectTo, 0, "redirect 169.254.169.254:80 to this loopback `port`; without it, the address is added and no more")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	if *port > 65535 {
		return fmt.Errorf("read --%s: there is no port %d", settings.RedirectTo, *port)
	}
	if err := podnet.AddAddress(); err != nil {
		return err
	}
	if *port == 0 {
		return nil
	}
	return podnet.Redirect(uint16(*port))
}
