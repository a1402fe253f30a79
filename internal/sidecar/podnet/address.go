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

// AddAddress adds Address to lo, unless it is there. Packets for it then stay in the pod, even without an IPv4 route. It
// needs NET_ADMIN in the network namespace, at least permitted.
func AddAddress() error {
	return withNetAdmin(func() error {
		if err := onLoopback(netlink.AddrAdd); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add %s to lo: %w", Address, err)
		}
		return nil
	})
}
