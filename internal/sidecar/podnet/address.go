package podnet

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Address is IMDS's address.
var Address = netip.AddrFrom4([4]byte{169, 254, 169, 254})

// AddAddress adds Address to lo, unless it is there. So packets for it stay in the pod, of a pod without an IPv4 route
// too. It needs NET_ADMIN in the network namespace, permitted at least, and touches nothing else.
func AddAddress() error {
	return withNetAdmin(func() error {
		if err := onLoopback(netlink.AddrAdd); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add %s to lo: %w", Address, err)
		}
		return nil
	})
}
