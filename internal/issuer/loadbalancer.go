package issuer

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// serveLoadBalancer answers with what leads to the pod from outside.
func (s *Server) serveLoadBalancer(writer http.ResponseWriter, request *http.Request) {
	caller, done, err := s.identify(request)
	defer done()
	if err != nil {
		if !reply.IsGone(err) {
			reply.Fail(writer, err)
		}
		return
	}
	var services []corev1.Service
	err = s.await(request.Context(), caller.workload.Pod.UID, func(ctx context.Context) (mayChange bool, err error) {
		services, err = s.Directory.LoadBalancers(ctx, caller.pod.Namespace)
		return errors.Is(err, directory.ErrNotKnown), err
	})
	if err != nil {
		reply.Fail(writer, err)
		return
	}
	reply.JSON(writer, http.StatusOK, describeLoadBalancer(caller.pod, services))
}

// describeLoadBalancer is what leads to a pod from outside: the addresses and ports of the Services of type LoadBalancer
// that select it. A load balancer that has a name and no address is left out, for there is no telling its address.
func describeLoadBalancer(pod *corev1.Pod, services []corev1.Service) issuerapi.LoadBalancer {
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

// selects tells whether a load balancer leads to the pod. One without a selector leads where somebody else says.
func selects(service *corev1.Service, pod *corev1.Pod) bool {
	return service.Spec.Type == corev1.ServiceTypeLoadBalancer && len(service.Spec.Selector) > 0 &&
		labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels))
}

// frontends are the addresses of a load balancer, each with the pod's own address of that family.
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

// rules are a load balancer's ports, as far as the pod has what they lead to.
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

// targetPort is the pod's port that a Service's port leads to, or 0 where it leads to a name that the pod has not.
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
