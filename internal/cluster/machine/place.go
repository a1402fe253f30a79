package machine

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Place is a node's place in Azure's terms.
type Place struct {
	SubscriptionID string
	ResourceGroup  string
	Location       string
	Zone           string
	FaultDomain    string

	// ScaleSet is the name of the node's virtual machine scale set; "" without one.
	ScaleSet string
}

// PlaceOf returns the place that a node's labels and provider ID name, and the defaults for the rest.
func PlaceOf(node *corev1.Node, defaults Defaults) Place {
	p := Place{
		SubscriptionID: defaults.SubscriptionID,
		ResourceGroup:  defaults.ResourceGroup,
		Location:       cmp.Or(node.Labels[corev1.LabelTopologyRegion], defaults.Location),
		Zone:           node.Labels[corev1.LabelTopologyZone],
		FaultDomain:    "0",
	}
	if path, ok := strings.CutPrefix(node.Spec.ProviderID, "azure:///"); ok {
		p.readProviderID(strings.Split(path, "/"))
		p.readAzureZone()
	}
	return p
}

// readProviderID reads subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Compute/ and then
// virtualMachines/NAME or virtualMachineScaleSets/NAME/virtualMachines/NUMBER, in any case.
func (p *Place) readProviderID(parts []string) {
	named := func(i int, name string) string {
		if len(parts) > i+1 && strings.EqualFold(parts[i], name) {
			return parts[i+1]
		}
		return ""
	}
	subscription, group := named(0, "subscriptions"), named(2, "resourceGroups")
	if subscription == "" || group == "" {
		return
	}
	p.SubscriptionID, p.ResourceGroup = subscription, group
	p.ScaleSet = named(6, "virtualMachineScaleSets")
}

// readAzureZone converts the zone label. On Azure it is REGION-ZONE or, for a machine in no zone, the fault domain.
func (p *Place) readAzureZone() {
	if zone, ok := strings.CutPrefix(p.Zone, p.Location+"-"); ok {
		p.Zone = zone
		return
	}
	p.FaultDomain, p.Zone = cmp.Or(p.Zone, p.FaultDomain), ""
}

// ResourceID returns the resource ID of a virtual machine.
func (p Place) ResourceID(name string) string { return p.compute() + "virtualMachines/" + name }

// compute returns the prefix of the resource IDs in this place.
func (p Place) compute() string {
	return "/subscriptions/" + p.SubscriptionID + "/resourceGroups/" + p.ResourceGroup + "/providers/Microsoft.Compute/"
}

// ScaleSetID returns the resource ID of the scale set; "" without one.
func (p Place) ScaleSetID() string {
	if p.ScaleSet == "" {
		return ""
	}
	return p.compute() + "virtualMachineScaleSets/" + p.ScaleSet
}
