package issuer

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// loadBalancer returns a Service of that type with the address 20.1.2.3 that selects app=orders.
func loadBalancer(name string, ports ...corev1.ServicePort) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: named("shop", name, "service-uid-"+name),
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, Selector: map[string]string{"app": "orders"}, Ports: ports,
		},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "20.1.2.3"}}}},
	}
}

func tcp(port int32, target intstr.IntOrString) corev1.ServicePort {
	return corev1.ServicePort{Port: port, TargetPort: target, Protocol: corev1.ProtocolTCP}
}

func TestDescribeLoadBalancer(t *testing.T) {
	t.Parallel()
	web := tcp(80, intstr.FromInt32(8080))
	v4 := issuerapi.FrontendAddress{FrontendIPAddress: "20.1.2.3", PrivateIPAddress: "10.0.0.7"}
	v6 := issuerapi.FrontendAddress{FrontendIPAddress: "2603::1", PrivateIPAddress: "fd00::7"}
	rule := func(at issuerapi.FrontendAddress, protocol string, frontend, backend int32) issuerapi.InboundRule {
		return issuerapi.InboundRule{FrontendIPAddress: at.FrontendIPAddress, PrivateIPAddress: at.PrivateIPAddress,
			Protocol: protocol, FrontendPort: frontend, BackendPort: backend}
	}
	webRule := []issuerapi.InboundRule{rule(v4, "tcp", 80, 8080)}
	changed := func(change func(*corev1.Service)) []*corev1.Service {
		service := loadBalancer("front", web)
		change(service)
		return []*corev1.Service{service}
	}
	for name, test := range map[string]struct {
		services []*corev1.Service
		at       []issuerapi.FrontendAddress
		rules    []issuerapi.InboundRule
	}{
		"no Service":   {nil, nil, nil},
		"one":          {[]*corev1.Service{loadBalancer("front", web)}, []issuerapi.FrontendAddress{v4}, webRule},
		"another type": {changed(func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeNodePort }), nil, nil},
		"no selector":  {changed(func(s *corev1.Service) { s.Spec.Selector = nil }), nil, nil},
		"other pods":   {changed(func(s *corev1.Service) { s.Spec.Selector["tier"] = "front" }), nil, nil},
		"hostname without address": {changed(func(s *corev1.Service) {
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "lb.example.com"}}
		}), nil, nil},
		"no address yet": {changed(func(s *corev1.Service) { s.Status = corev1.ServiceStatus{} }), nil, nil},
		"both families": {changed(func(s *corev1.Service) {
			s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: "2603::1"})
		}), []issuerapi.FrontendAddress{v4, v6}, []issuerapi.InboundRule{rule(v4, "tcp", 80, 8080), rule(v6, "tcp", 80, 8080)}},
		"ports by name, by protocol and by default": {[]*corev1.Service{loadBalancer("front",
			tcp(80, intstr.FromString("dns")),
			corev1.ServicePort{Port: 53, TargetPort: intstr.FromString("dns"), Protocol: corev1.ProtocolUDP},
			tcp(81, intstr.FromString("nothing")), tcp(443, intstr.IntOrString{}))},
			[]issuerapi.FrontendAddress{v4},
			[]issuerapi.InboundRule{rule(v4, "tcp", 80, 5300), rule(v4, "udp", 53, 5353), rule(v4, "tcp", 443, 443)}},
		"two that share an address, by name": {
			[]*corev1.Service{loadBalancer("second", tcp(81, intstr.FromInt32(8081))), loadBalancer("first", web)},
			[]issuerapi.FrontendAddress{v4}, []issuerapi.InboundRule{rule(v4, "tcp", 80, 8080), rule(v4, "tcp", 81, 8081)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(withPod(func(p *corev1.Pod) {
				p.Labels = map[string]string{"app": "orders"}
				p.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.7"}, {IP: "fd00::7"}}
				p.Spec.Containers = []corev1.Container{{}, {Ports: []corev1.ContainerPort{
					{Name: "dns", ContainerPort: 5300, Protocol: corev1.ProtocolTCP}, {Name: "dns", ContainerPort: 5353, Protocol: corev1.ProtocolUDP},
				}}}
			}))
			var services []corev1.Service
			for _, service := range test.services {
				services = append(services, *service)
			}
			want := issuerapi.LoadBalancer{
				PublicIPAddresses: append([]issuerapi.FrontendAddress{}, test.at...),
				InboundRules:      append([]issuerapi.InboundRule{}, test.rules...),
			}
			if diff := cmp.Diff(want, DescribeLoadBalancer(w.pod, services)); diff != "" {
				t.Errorf("load balancer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadBalancerIsAnswered(t *testing.T) {
	elsewhere := loadBalancer("elsewhere", tcp(80, intstr.FromInt32(1)))
	elsewhere.Namespace = "other"
	given := newWorld(withPod(func(p *corev1.Pod) { p.Labels = map[string]string{"app": "orders"} }), func(w *world) {
		w.services = []*corev1.Service{loadBalancer("front", tcp(80, intstr.FromInt32(8080))), elsewhere}
	})
	onStage(t, given, func(s *stage) {
		recorder := s.ask(s.request(ordersPod().sign(t), http.MethodGet, issuerapi.LoadBalancerPath, ""))
		wantStatus(t, recorder, http.StatusOK)
		const want = `{"public_ip_addresses":[{"frontend_ip_address":"20.1.2.3","private_ip_address":"10.0.0.7"}],` +
			`"inbound_rules":[{"frontend_ip_address":"20.1.2.3","protocol":"tcp","frontend_port":80,"backend_port":8080,"private_ip_address":"10.0.0.7"}]}`
		if got := strings.TrimSpace(recorder.Body.String()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		other := ordersPod()
		other.audience = "other"
		wantStatus(t, s.ask(s.request(other.sign(t), http.MethodGet, issuerapi.LoadBalancerPath, "")), http.StatusUnauthorized)
	})
}
