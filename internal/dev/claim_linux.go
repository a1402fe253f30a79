package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/kube-imds/kube-imds/internal/sidecar/podnet"
)

// claim adds IMDS's address to this machine and listens there, for this machine only. release removes the address.
func claim(ctx context.Context) (listener net.Listener, release func() error, err error) {
	if err := podnet.ClaimAddress(); err != nil {
		if errors.Is(err, podnet.ErrNoNetAdmin) {
			err = errors.New("adding an address needs root")
		}
		return nil, nil, fmt.Errorf("--claim-address: %w", err)
	}
	listener, err = podnet.Listen(ctx, net.JoinHostPort(podnet.Address.String(), "80"), nil)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w: something listens on port 80 of every address of this machine: stop it, or do without --claim-address", err)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("--claim-address: %w", err), podnet.ReleaseAddress())
	}
	return listener, podnet.ReleaseAddress, nil
}
