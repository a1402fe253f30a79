package suite

import (
	"fmt"
	"strings"
)

// loadBalancerCases returns the cases about load balancers. Most machines have none.
func loadBalancerCases() []Case {
	const none = "No load balancer metadata is found. Check if your virtual machine is using any nonbasic SKU load balancer and retry later."
	nothing := unless("no load balancer leads to the machine", func(a answer) bool { return a.status == 404 && strings.Contains(a.body, "No load balancer") })
	document := success(object("", "loadbalancer"), object("loadbalancer", "publicIpAddresses", "inboundRules", "outboundRules"))
	newest := loadBalancerPath + "?api-version=2025-04-07"
	return []Case{
		ask("loadbalancer/document-or-none", get(aLoadBalancer), either(document, inOurWords(404, refusal(404, none)))),
		ask("loadbalancer/newest-version", get(newest), either(document, inOurWords(404, refusal(404, none)))),
		ask("loadbalancer/lists", get(aLoadBalancer), nothing, success(array("loadbalancer/publicIpAddresses"), array("loadbalancer/inboundRules"), array("loadbalancer/outboundRules"))),
		ask("loadbalancer/publicIpAddresses", get(aLoadBalancer), nothing, success(elements("loadbalancer/publicIpAddresses", object("", "frontendIpAddress", "privateIpAddress"), allStrings))),
		ask("loadbalancer/inboundRules", get(aLoadBalancer), nothing, success(elements("loadbalancer/inboundRules",
			object("", "frontendIpAddress", "protocol", "frontendPort", "backendPort", "privateIpAddress"),
			integer("frontendPort"), integer("backendPort"), matches("protocol", `(?i)^(tcp|udp|sctp|all)$`)))),
		ask("loadbalancer/below", get(loadBalancerPath+"/publicIpAddresses?api-version=2020-10-01"), refused(404)).ourChoice(),
		ask("loadbalancer/format-text", get(aLoadBalancer+"&format=text"), either(document, refusal(404, none))).ourChoice(),
	}
}

// elements applies expectations to each element of an array, as if it were a document.
func elements(path string, parts ...Expectation) Expectation {
	element := all(parts...)
	says := "each of " + path + ": " + element.says
	return Expectation{says: says, check: func(s *seen) error {
		document, err := s.last().document()
		if err != nil {
			return err
		}
		list := document.find(path)
		if list == nil || list.kind != '[' {
			return fmt.Errorf("no array %s", path)
		}
		for i, child := range list.elements {
			one := s.last()
			one.body = child.String()
			if err := element.holds(s.only(one)); err != nil {
				return fmt.Errorf("%s/%d: %w", path, i, err)
			}
		}
		return nil
	}}
}
