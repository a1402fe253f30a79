package issuer

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// testLoadBalancerLeadsToThePod checks that the issuer watches Services of type LoadBalancer only.
func testLoadBalancerLeadsToThePod(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	bearer := i.bearer(t, h.newPod(t, "front", "node-1"))
	inside := h.newService(t, "inside", corev1.ServiceTypeClusterIP)
	outside := h.newService(t, "outside", corev1.ServiceTypeLoadBalancer)
	outside.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "20.1.2.3"}}
	must(t, h.Status().Update(t.Context(), outside), "give the load balancer an address")

	wantLoadBalancer(t, i, bearer, issuerapi.LoadBalancer{
		PublicIPAddresses: []issuerapi.FrontendAddress{{FrontendIPAddress: "20.1.2.3", PrivateIPAddress: podAddress}},
		InboundRules: []issuerapi.InboundRule{{
			FrontendIPAddress: "20.1.2.3", Protocol: "tcp", FrontendPort: 80, BackendPort: 8080, PrivateIPAddress: podAddress,
		}},
	})
	must(t, h.Delete(t.Context(), outside), "delete the load balancer")
	wantLoadBalancer(t, i, bearer, issuerapi.LoadBalancer{
		PublicIPAddresses: []issuerapi.FrontendAddress{}, InboundRules: []issuerapi.InboundRule{},
	})
	must(t, client.IgnoreNotFound(h.Delete(t.Context(), inside)), "delete the Service")
}

func wantLoadBalancer(t *testing.T, i *issuerProcess, bearer string, want issuerapi.LoadBalancer) {
	t.Helper()
	eventually(t, "the issuer knows what leads to the pod", func() error {
		a := i.get(t, bearer, issuerapi.LoadBalancerPath)
		var got issuerapi.LoadBalancer
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			return fmt.Errorf("read %d %s: %w", a.status, a.body, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("it (-want +got):\n%s", diff)
		}
		return nil
	})
}

// newService creates a Service that selects the pod named front.
func (h home) newService(t *testing.T, name string, kind corev1.ServiceType) *corev1.Service {
	t.Helper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.name, Name: name},
		Spec: corev1.ServiceSpec{
			Type: kind, Selector: map[string]string{"app": "front"},
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}
	h.create(t, service)
	return service
}
