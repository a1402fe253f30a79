package imds

import "strings"

// field is a member of the compute document, and the version that first had it (imds-contract.md section 3).
type field struct {
	name, since string
	value       func(*Instance) any
}

var computeFields = []field{
	{"azEnvironment", "2018-10-01", func(i *Instance) any { return i.AzureEnvironment }},
	{"location", "2017-04-02", func(i *Instance) any { return i.Location }},
	{"name", "2017-04-02", func(i *Instance) any { return i.Name }},
	{"osType", "2017-04-02", func(*Instance) any { return "Linux" }},
	{"provider", "2018-10-01", func(*Instance) any { return "Microsoft.Compute" }},
	{"resourceGroupName", "2017-08-01", func(i *Instance) any { return i.ResourceGroupName }},
	{"resourceId", "2019-03-11", func(i *Instance) any { return i.ResourceID }},
	{"subscriptionId", "2017-08-01", func(i *Instance) any { return i.SubscriptionID }},
	{"tags", "2017-08-01", func(i *Instance) any { return joinTags(i.Tags) }},
	{"tagsList", "2019-06-04", func(i *Instance) any { return each(i.Tags, tagElement) }},
	{"vmId", "2017-04-02", func(i *Instance) any { return i.VMID }},
	{"vmSize", "2017-04-02", func(i *Instance) any { return i.VMSize }},
	{"zone", "2017-12-01", func(i *Instance) any { return i.Zone }},
}

// instanceDocument is the machine as a version of the API tells of it.
func instanceDocument(instance *Instance, version string) object {
	compute := object{}
	for _, field := range computeFields {
		if field.since <= version {
			compute[field.name] = field.value(instance)
		}
	}
	return object{
		"compute": compute,
		"network": object{"interface": each(instance.Interfaces, interfaceElement)},
	}
}

func joinTags(tags []Tag) string {
	pairs := make([]string, len(tags))
	for i, tag := range tags {
		pairs[i] = tag.Name + ":" + tag.Value
	}
	return strings.Join(pairs, ";")
}

func tagElement(tag Tag) any { return object{"name": tag.Name, "value": tag.Value} }

func interfaceElement(i Interface) any {
	return object{
		"ipv4": object{
			"ipAddress": each(i.IPv4, func(address string) any {
				return object{"privateIpAddress": address, "publicIpAddress": ""}
			}),
			"subnet": list{},
		},
		"ipv6": object{
			"ipAddress": each(i.IPv6, func(address string) any { return object{"privateIpAddress": address} }),
		},
		"macAddress": "",
	}
}

// each makes a list with an element for each value.
func each[T any](values []T, element func(T) any) list {
	elements := make(list, len(values))
	for i, value := range values {
		elements[i] = element(value)
	}
	return elements
}
