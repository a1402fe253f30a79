package imds

import "strings"

// instanceDocument is the machine as a version of the API tells of it.
func instanceDocument(instance *Instance, version string) object {
	element := interfaceElement
	if version < renamedSince {
		element = firstInterfaceElement
	}
	return object{
		"compute": computeFields.of(instance, version),
		"network": object{"interface": each(instance.Interfaces, element)},
	}
}

// renamedSince is the version from which on the members of interfaces have the names that they have today.
const renamedSince = "2017-04-02"

// extend adds what extended=true asks for beside the document: how the machine came to be, for cloud-init.
func extend(document object, instance *Instance) {
	document["extended"] = object{"compute": object{
		"hasCustomData": truth(instance.CustomData != ""),
		"ppsType":       "None",
	}}
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
			"subnet": each(i.Subnets, func(subnet Subnet) any {
				return object{"address": subnet.Address, "prefix": subnet.Prefix}
			}),
		},
		"ipv6": object{
			"ipAddress": each(i.IPv6, func(address string) any { return object{"privateIpAddress": address} }),
		},
		"macAddress": i.MACAddress,
	}
}

// firstInterfaceElement is an interface as the first version tells of it (imds-contract.md section 3).
func firstInterfaceElement(i Interface) any {
	return object{
		"ipv4": object{
			"ipaddress": each(i.IPv4, func(address string) any {
				return object{"ipaddress": address, "publicip": ""}
			}),
			"subnet": each(i.Subnets, func(subnet Subnet) any {
				return object{"address": subnet.Address, "dnsservers": list{}}
			}),
		},
		"ipv6": object{
			"ipaddress": each(i.IPv6, func(address string) any { return object{"ipaddress": address} }),
		},
		"mac": i.MACAddress,
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

// truth is how IMDS writes booleans.
func truth(value bool) string {
	if value {
		return "true"
	}
	return "false"
}
