package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	discoveryapply "k8s.io/client-go/applyconfigurations/discovery/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/install"
)

// hostNames gives resources their host names: the endpoints of headless Services have the resources' names, and the address of the Service
// behind which the servers are (docs/design/vault-names.md). One goroutine uses it.
type hostNames struct {
	client client.Client

	// live reads Services from the API server.
	live client.Reader

	names install.Names
	kind  *azurehost.Kind

	// services are the headless Services, with the endings of their EndpointSlices' names.
	services map[string]string

	// all returns the names of all resources, each once, those of the oldest first.
	all func(context.Context) ([]string, error)
	now func() time.Time

	// known are the names that there were when they were written last, and whether each was: there may be too many. writtenAt is when.
	known     map[string]bool
	writtenAt time.Time
}

const (
	// maxEndpoints is how many endpoints an EndpointSlice takes. The oldest names have one, so that a new one takes none away.
	maxEndpoints = 1000

	// writeAgain is how long what was written is believed to be there still.
	writeAgain = time.Minute
)

// keep sees to it that the host names have a resource's name if the resource is there. It writes them when a name has come or gone, and now
// and then: a change of anything else costs nothing here.
func (h *hostNames) keep(ctx context.Context, name string, isThere bool) error {
	if _, known := h.known[name]; known == isThere && h.now().Sub(h.writtenAt) < writeAgain {
		return nil
	}
	names, err := h.all(ctx)
	if err != nil {
		return err
	}
	address, err := h.address(ctx)
	if err != nil {
		return err
	}
	fitting := slices.Sorted(slices.Values(names[:min(len(names), maxEndpoints)]))
	for service, slice := range h.services {
		if err := h.write(ctx, service, slice, fitting, address); err != nil {
			return err
		}
	}
	h.known, h.writtenAt = map[string]bool{}, h.now()
	for i, name := range names {
		h.known[name] = i < maxEndpoints
	}
	return nil
}

// has reports whether a name was written.
func (h *hostNames) has(name string) bool { return h.known[name] }

// write writes the EndpointSlice of a headless Service.
func (h *hostNames) write(ctx context.Context, headless, slice string, names []string, address netip.Addr) error {
	owner, err := h.service(ctx, headless)
	if err != nil {
		return err
	}
	apply := discoveryapply.EndpointSlice(h.names.Name+"-"+slice, h.names.Namespace).
		WithLabels(map[string]string{discoveryv1.LabelServiceName: headless, discoveryv1.LabelManagedBy: "kube-imds"}).
		WithOwnerReferences(metaapply.OwnerReference().WithAPIVersion("v1").WithKind("Service").WithName(owner.Name).WithUID(owner.UID)).
		WithAddressType(familyOf(address))
	for _, name := range names {
		apply.WithEndpoints(discoveryapply.Endpoint().WithAddresses(address.String()).WithHostname(name))
	}
	if err := h.client.Apply(ctx, apply, client.FieldOwner("kube-imds-controller"), client.ForceOwnership); err != nil {
		return fmt.Errorf("write the host names of the Service %s: %w", headless, err)
	}
	return nil
}

// address returns the address of the Service behind which the servers are.
func (h *hostNames) address(ctx context.Context) (netip.Addr, error) {
	name, _, _ := strings.Cut(h.names.Services(h.kind.Part)[0], ".")
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

func (h *hostNames) service(ctx context.Context, name string) (*corev1.Service, error) {
	var service corev1.Service
	if err := h.live.Get(ctx, client.ObjectKey{Namespace: h.names.Namespace, Name: name}, &service); err != nil {
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
