package issuer

import (
	"net"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/reply"
)

// checkAddress sees to it that a pod's token is of use nowhere but in the pod: the request must come from one of the pod's
// own addresses. While none is known there is no telling.
func (s *Server) checkAddress(pod *corev1.Pod, source string) error {
	// One in its node's network is refused by its grant, which says why.
	if s.AnyAddress || pod.Spec.HostNetwork {
		return nil
	}
	if len(pod.Status.PodIPs) == 0 {
		return reply.Unavailable("the pod's address is not known yet")
	}
	from, err := netip.ParseAddr(source)
	isFrom := func(own corev1.PodIP) bool {
		address, err := netip.ParseAddr(own.IP)
		return err == nil && address.Unmap() == from.Unmap().WithZone("")
	}
	if err == nil && slices.ContainsFunc(pod.Status.PodIPs, isFrom) {
		return nil
	}
	return reply.Forbidden(reply.ReasonOtherAddress, "the request comes from an address that is not the pod's: its token was taken "+
		"elsewhere, or the network hides the pods' addresses from this issuer (see issuer.requirePodAddress in the chart's values)")
}

// sourceOf is the address that a request came from, without its port.
func sourceOf(remoteAddress string) string {
	host, _, err := net.SplitHostPort(remoteAddress)
	if err != nil {
		return remoteAddress
	}
	return host
}
