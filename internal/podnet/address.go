package podnet

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AddAddress adds Address to lo, unless it is there. It needs NET_ADMIN in the network namespace, permitted at
// least, and touches nothing else.
func AddAddress() error {
	return withNetAdmin(func() error {
		if err := onLoopback(netlink.AddrAdd); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add %s to lo: %w", Address, err)
		}
		return nil
	})
}
