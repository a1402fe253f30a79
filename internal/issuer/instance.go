package issuer

import (
	"cmp"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// MetadataDefaults is what instance metadata says where the node says nothing.
type MetadataDefaults struct {
	SubscriptionID string
	ResourceGroup  string
	Location       string
}

// serveInstance answers with the pod as a virtual machine.
func (s *Server) serveInstance(writer http.ResponseWriter, request *http.Request) {
	caller, done, err := s.identify(request)
	defer done()
	if err != nil {
		if !isGone(err) {
			writeFailure(writer, err)
		}
		return
	}
	node, err := s.Directory.Node(request.Context(), s.NodeName)
	if err != nil {
		writeFailure(writer, err)
		return
	}
	writeJSON(writer, http.StatusOK, describeInstance(caller.pod, node, s.Metadata))
}

// describeInstance is a pod as a virtual machine: its own name and addresses, where its node is, and the defaults.
func describeInstance(pod *corev1.Pod, node *corev1.Node, defaults MetadataDefaults) issuerapi.Instance {
	place := placeOf(node, defaults)
	return issuerapi.Instance{
		Name:              pod.Name,
		VMID:              string(pod.UID),
		VMSize:            node.Labels[corev1.LabelInstanceTypeStable],
		Location:          cmp.Or(node.Labels[corev1.LabelTopologyRegion], defaults.Location),
		Zone:              node.Labels[corev1.LabelTopologyZone],
		AzureEnvironment:  "AzurePublicCloud",
		SubscriptionID:    place.SubscriptionID,
		ResourceGroupName: place.ResourceGroup,
		ResourceID: "/subscriptions/" + place.SubscriptionID + "/resourceGroups/" + place.ResourceGroup +
			"/providers/Microsoft.Compute/virtualMachines/" + pod.Name,
		Tags:       tagsOf(pod),
		Interfaces: []issuerapi.Interface{interfaceOf(pod)},
	}
}

// placeOf is the subscription and resource group of a node: its own where it is an Azure virtual machine, which its
// provider ID azure:///subscriptions/{subscription}/resourceGroups/{group}/… says.
func placeOf(node *corev1.Node, defaults MetadataDefaults) MetadataDefaults {
	path, found := strings.CutPrefix(node.Spec.ProviderID, "azure:///")
	parts := strings.Split(path, "/")
	if !found || len(parts) < 4 || !strings.EqualFold(parts[0], "subscriptions") || !strings.EqualFold(parts[2], "resourceGroups") ||
		parts[1] == "" || parts[3] == "" {
		return defaults
	}
	return MetadataDefaults{SubscriptionID: parts[1], ResourceGroup: parts[3], Location: defaults.Location}
}

func tagsOf(pod *corev1.Pod) []issuerapi.Tag {
	tags := []issuerapi.Tag{}
	for _, name := range slices.Sorted(maps.Keys(pod.Labels)) {
		tags = append(tags, issuerapi.Tag{Name: name, Value: pod.Labels[name]})
	}
	return tags
}

func interfaceOf(pod *corev1.Pod) issuerapi.Interface {
	addresses := issuerapi.Interface{IPv4: []string{}, IPv6: []string{}}
	for _, ip := range pod.Status.PodIPs {
		parsed, err := netip.ParseAddr(ip.IP)
		switch {
		case err != nil:
		case parsed.Is4():
			addresses.IPv4 = append(addresses.IPv4, ip.IP)
		default:
			addresses.IPv6 = append(addresses.IPv6, ip.IP)
		}
	}
	return addresses
}
