package imds

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// instanceEndpoint serves GET /metadata/instance and everything below (imds-contract.md section 3).
type instanceEndpoint struct {
	source InstanceSource
}

func (e *instanceEndpoint) serve(w http.ResponseWriter, r *http.Request, subpath, rawQuery string) *Error {
	q, refusal := parseQuery(rawQuery)
	if refusal != nil {
		return refusal
	}
	version, refusal := q.version(instanceSince)
	if refusal != nil {
		return refusal
	}
	format, refusal := parseFormat(q)
	if refusal != nil {
		return refusal
	}
	extended, refusal := q.flag("extended")
	if refusal != nil {
		return refusal
	}
	instance, err := e.source.Instance(r.Context())
	if err != nil {
		return fromSource(err)
	}
	document := instanceDocument(instance, version)
	if extended {
		extend(document, instance)
	}
	element, found := find(document, subpath)
	if !found {
		return errNotFound
	}
	return format(w, element)
}

// format writes an element of a document, or returns why it cannot have this format.
type format func(w http.ResponseWriter, element any) *Error

func parseFormat(q query) (format, *Error) {
	switch q["format"] {
	case "", "json":
		return writeJSON, nil
	case "text":
		return writeText, nil
	}
	return nil, invalid("Bad request. The format is json or text")
}

func writeJSON(w http.ResponseWriter, element any) *Error {
	if _, leaf := element.(string); leaf {
		return invalid("Bad request. A single value is given with format=text only")
	}
	write(w, http.StatusOK, contentJSON, encode(element))
	return nil
}

func writeText(w http.ResponseWriter, element any) *Error {
	write(w, http.StatusOK, contentText, []byte(plain(element)))
	return nil
}

// instanceDocument returns the document of an instance in a version of the API.
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

// renamedSince is the first version in which the members of interfaces have today's names.
const renamedSince = "2017-04-02"

// extend adds what extended=true asks for: how the machine was provisioned, for cloud-init.
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

// firstInterfaceElement returns an interface in the form of the first version (imds-contract.md section 3).
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

// each returns a list with one element per value.
func each[T any](values []T, element func(T) any) list {
	elements := make(list, len(values))
	for i, value := range values {
		elements[i] = element(value)
	}
	return elements
}

// truth formats a boolean as IMDS does.
func truth(value bool) string {
	if value {
		return "true"
	}
	return "false"
}

// A document consists of objects, lists and strings. encoding/json sorts the members of an object, as IMDS does.
type (
	object map[string]any
	list   []any
)

// find returns the element at a normal path such as /network/interface/0.
func find(element any, path string) (found any, ok bool) {
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path[1:], "/")
		if path != "" {
			path = "/" + path
		}
		if element, ok = child(element, name); !ok {
			return nil, false
		}
	}
	return element, true
}

func child(element any, name string) (found any, ok bool) {
	switch element := element.(type) {
	case object:
		for key, value := range element {
			if normalPath(key) == name {
				return value, true
			}
		}
	case list:
		if i, err := strconv.ParseUint(name, 10, 16); err == nil && i < uint64(len(element)) {
			return element[i], true
		}
	}
	return nil, false
}

// plain formats an element for format=text: a string as it is, an object or list with one child a line, with a slash after
// children that have children.
func plain(element any) string {
	var lines []string
	switch element := element.(type) {
	case string:
		return element
	case object:
		for _, name := range slices.Sorted(maps.Keys(element)) {
			lines = append(lines, listed(name, element[name]))
		}
	case list:
		for i, value := range element {
			lines = append(lines, listed(strconv.Itoa(i), value))
		}
	}
	return strings.Join(lines, "\n")
}

func listed(name string, element any) string {
	if _, leaf := element.(string); leaf {
		return name
	}
	return name + "/"
}
