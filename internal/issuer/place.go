package issuer

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// place is where a node is, as Azure tells of places.
type place struct {
	subscriptionID string
	resourceGroup  string
	location       string
	zone           string
	faultDomain    string

	// scaleSet is the name of the virtual machine scale set that the node is of, if any.
	scaleSet string
}

// placeOf is what a node's labels and provider ID say of its place, and the defaults where they say nothing.
func placeOf(node *corev1.Node, defaults MetadataDefaults) place {
	p := place{
		subscriptionID: defaults.SubscriptionID,
		resourceGroup:  defaults.ResourceGroup,
		location:       cmp.Or(node.Labels[corev1.LabelTopologyRegion], defaults.Location),
		zone:           node.Labels[corev1.LabelTopologyZone],
		faultDomain:    "0",
	}
	if path, ok := strings.CutPrefix(node.Spec.ProviderID, "azure:///"); ok {
		p.readProviderID(strings.Split(path, "/"))
		p.readAzureZone()
	}
	return p
}

// readProviderID reads subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Compute/ and then
// virtualMachines/NAME or virtualMachineScaleSets/NAME/virtualMachines/NUMBER, in any case.
func (p *place) readProviderID(parts []string) {
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
	p.subscriptionID, p.resourceGroup = subscription, group
	p.scaleSet = named(6, "virtualMachineScaleSets")
}

// readAzureZone turns the label of a zone into what IMDS says. On Azure it is REGION-ZONE, or, where the machine is in
// no zone, the fault domain.
func (p *place) readAzureZone() {
	if zone, ok := strings.CutPrefix(p.zone, p.location+"-"); ok {
		p.zone = zone
		return
	}
	p.faultDomain, p.zone = cmp.Or(p.zone, p.faultDomain), ""
}

// compute is the resource ID that those of the place's machines start with.
func (p place) compute() string {
	return "/subscriptions/" + p.subscriptionID + "/resourceGroups/" + p.resourceGroup + "/providers/Microsoft.Compute/"
}

func (p place) scaleSetID() string {
	if p.scaleSet == "" {
		return ""
	}
	return p.compute() + "virtualMachineScaleSets/" + p.scaleSet
}
