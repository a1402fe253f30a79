package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	discoveryapply "k8s.io/client-go/applyconfigurations/discovery/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/install"
)

// hostNames gives resources their host names: the endpoints of a headless Service have the resources' names, and the address of the Service
// behind which the servers are (docs/design/vault-names.md).
type hostNames struct {
	client client.Client

	// services reads Services from the API server.
	services client.Reader

	names install.Names

	// part is the part that serves.
	part install.Part
}

// maxEndpoints is how many endpoints an EndpointSlice takes.
const maxEndpoints = 1000

// give writes the EndpointSlice of a headless Service.
func (h hostNames) give(ctx context.Context, headless, slice string, hosts []string) error {
	owner, err := h.service(ctx, headless)
	if err != nil {
		return err
	}
	address, err := h.address(ctx)
	if err != nil {
		return err
	}
	hosts = slices.Compact(slices.Sorted(slices.Values(hosts)))
	apply := discoveryapply.EndpointSlice(h.names.Name+"-"+slice, h.names.Namespace).
		WithLabels(map[string]string{discoveryv1.LabelServiceName: headless, discoveryv1.LabelManagedBy: "kube-imds"}).
		WithOwnerReferences(metaapply.OwnerReference().WithAPIVersion("v1").WithKind("Service").WithName(owner.Name).WithUID(owner.UID)).
		WithAddressType(familyOf(address))
	for _, host := range hosts[:min(len(hosts), maxEndpoints)] {
		apply.WithEndpoints(discoveryapply.Endpoint().WithAddresses(address.String()).WithHostname(host))
	}
	if err := h.client.Apply(ctx, apply, client.FieldOwner("kube-imds-controller"), client.ForceOwnership); err != nil {
		return fmt.Errorf("write the host names of the Service %s: %w", headless, err)
	}
	return nil
}

// address returns the address of the Service behind which the servers are.
func (h hostNames) address(ctx context.Context) (netip.Addr, error) {
	name, _, _ := strings.Cut(h.names.Services(h.part)[0], ".")
	service, err := h.service(ctx, name)
	if err != nil {
		return netip.Addr{}, err
	}
	address, err := netip.ParseAddr(service.Spec.ClusterIP)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("read the address of the Service %s: %w", name, err)
	}
	return address, nil
}

func (h hostNames) service(ctx context.Context, name string) (*corev1.Service, error) {
	var service corev1.Service
	if err := h.services.Get(ctx, client.ObjectKey{Namespace: h.names.Namespace, Name: name}, &service); err != nil {
		return nil, fmt.Errorf("read the Service %s: %w", name, err)
	}
	return &service, nil
}

func familyOf(address netip.Addr) discoveryv1.AddressType {
	if address.Is4() {
		return discoveryv1.AddressTypeIPv4
	}
	return discoveryv1.AddressTypeIPv6
}
