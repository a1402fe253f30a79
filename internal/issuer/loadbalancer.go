package issuer

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// answerLoadBalancer describes the load balancers in front of the pod.
func (s *Server) answerLoadBalancer(x *exchange) (answer, error) {
	var services []corev1.Service
	err := s.await(x, func(ctx context.Context) (mayChange bool, err error) {
		services, err = s.Directory.LoadBalancers(ctx, x.pod.Namespace)
		return errors.Is(err, directory.ErrNotKnown), err
	})
	if err != nil {
		return answer{}, err
	}
	return answer{body: DescribeLoadBalancer(x.pod, services)}, nil
}

// DescribeLoadBalancer returns the addresses and ports of the Services of type LoadBalancer that select a pod. It omits load
// balancers with a host name instead of an address.
func DescribeLoadBalancer(pod *corev1.Pod, services []corev1.Service) issuerapi.LoadBalancer {
	answer := issuerapi.LoadBalancer{PublicIPAddresses: []issuerapi.FrontendAddress{}, InboundRules: []issuerapi.InboundRule{}}
	services = slices.SortedFunc(slices.Values(services), func(a, b corev1.Service) int { return cmp.Compare(a.Name, b.Name) })
	for _, service := range services {
		if !selects(&service, pod) {
			continue
		}
		for _, frontend := range frontends(&service, pod) {
			if !slices.Contains(answer.PublicIPAddresses, frontend) {
				answer.PublicIPAddresses = append(answer.PublicIPAddresses, frontend)
			}
			answer.InboundRules = append(answer.InboundRules, rules(&service, pod, frontend)...)
		}
	}
	return answer
}

// selects reports whether a Service is a load balancer that selects the pod.
func selects(service *corev1.Service, pod *corev1.Pod) bool {
	return service.Spec.Type == corev1.ServiceTypeLoadBalancer && len(service.Spec.Selector) > 0 &&
		labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels))
}

// frontends returns the addresses of a load balancer, each with the pod's address of the same family.
func frontends(service *corev1.Service, pod *corev1.Pod) []issuerapi.FrontendAddress {
	var found []issuerapi.FrontendAddress
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		frontend, err := netip.ParseAddr(ingress.IP)
		if err != nil {
			continue
		}
		for _, own := range pod.Status.PodIPs {
			if address, err := netip.ParseAddr(own.IP); err == nil && address.Is4() == frontend.Is4() {
				found = append(found, issuerapi.FrontendAddress{FrontendIPAddress: ingress.IP, PrivateIPAddress: own.IP})
			}
		}
	}
	return found
}

// rules returns a load balancer's ports, without those whose target port the pod lacks.
func rules(service *corev1.Service, pod *corev1.Pod, frontend issuerapi.FrontendAddress) []issuerapi.InboundRule {
	var found []issuerapi.InboundRule
	for _, port := range service.Spec.Ports {
		backend := targetPort(port, pod)
		if backend == 0 {
			continue
		}
		found = append(found, issuerapi.InboundRule{
			FrontendIPAddress: frontend.FrontendIPAddress, PrivateIPAddress: frontend.PrivateIPAddress,
			Protocol: strings.ToLower(string(port.Protocol)), FrontendPort: port.Port, BackendPort: backend,
		})
	}
	return found
}

// targetPort returns the pod's port behind a Service's port, or 0 if the pod has no port of that name.
func targetPort(port corev1.ServicePort, pod *corev1.Pod) int32 {
	if port.TargetPort.Type == intstr.Int {
		return cmp.Or(port.TargetPort.IntVal, port.Port)
	}
	for _, container := range pod.Spec.Containers {
		for _, own := range container.Ports {
			if own.Name == port.TargetPort.StrVal && own.Protocol == port.Protocol {
				return own.ContainerPort
			}
		}
	}
	return 0
}
