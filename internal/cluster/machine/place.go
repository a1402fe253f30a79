// Package machine describes pods as Azure describes virtual machines: where they are, and what they are called there.
package machine

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Place is where a node is, as Azure tells of places.
type Place struct {
	SubscriptionID string
	ResourceGroup  string
	Location       string
	Zone           string
	FaultDomain    string

	// ScaleSet is the name of the virtual machine scale set that the node is of, if any.
	ScaleSet string
}

// PlaceOf is what a node's labels and provider ID say of its place, and the defaults where they say nothing.
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

// readAzureZone turns the label of a zone into what IMDS says. On Azure it is REGION-ZONE, or, where the machine is in
// no zone, the fault domain.
func (p *Place) readAzureZone() {
	if zone, ok := strings.CutPrefix(p.Zone, p.Location+"-"); ok {
		p.Zone = zone
		return
	}
	p.FaultDomain, p.Zone = cmp.Or(p.Zone, p.FaultDomain), ""
}

// ResourceID is that of the virtual machine of a name.
func (p Place) ResourceID(name string) string { return p.compute() + "virtualMachines/" + name }

// compute is the resource ID that those of the place's machines start with.
func (p Place) compute() string {
	return "/subscriptions/" + p.SubscriptionID + "/resourceGroups/" + p.ResourceGroup + "/providers/Microsoft.Compute/"
}

// ScaleSetID is the resource ID of the scale set; empty without one.
func (p Place) ScaleSetID() string {
	if p.ScaleSet == "" {
		return ""
	}
	return p.compute() + "virtualMachineScaleSets/" + p.ScaleSet
}
