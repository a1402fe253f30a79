package podnet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

func TestAddressIsAddedOnce(t *testing.T) {
	t.Parallel()
	pod := newNamespace(t)
	pod.do(func() {
		for range 3 {
			pod.must(AddAddress())
		}
		addresses, err := netlink.AddrList(pod.link("lo"), netlink.FAMILY_V4)
		pod.must(err)
		var got []string
		for _, address := range addresses {
			got = append(got, address.IPNet.String())
		}
		if difference := cmp.Diff([]string{"127.0.0.1/8", "169.254.169.254/32"}, got); difference != "" {
			t.Error("(-want +got):\n" + difference)
		}
	})
}
