package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// testLoadBalancerIsTold gives a Service an address, like a cloud's controller.
func testLoadBalancerIsTold(t *testing.T, c *cluster) {
	const target = "http://169.254.169.254/metadata/loadbalancer?api-version=2020-10-01"
	home := c.namespace(t)
	identity := c.identity(t, home+"-balanced", home)
	probe := newProbePod(c, home, "balanced", "wait").withIdentity(identity.Name)
	probe.Labels = map[string]string{"app": "balanced"}
	pod := c.start(t, probe)
	wait := func(what string, status int, body string) {
		t.Helper()
		eventually(t, time.Minute, what, func(ctx context.Context) error {
			a, err := c.get(ctx, pod, "--header", "Metadata: true", target)
			if err == nil && (a.Status != status || a.Body != body) {
				err = fmt.Errorf("got %+v\nwant %d %s", a, status, body)
			}
			return err
		})
	}
	const none = `{ "error": "No load balancer metadata is found. Check if your virtual machine is using any nonbasic SKU load balancer and retry later." }`
	wait("there is no load balancer", http.StatusNotFound, none)

	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "front"},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, Selector: probe.Labels,
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}
	c.create(t, service)
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.3"}}
	must(t, c.Status().Update(t.Context(), service), "give the load balancer an address")
	wait("the load balancer is reported", http.StatusOK, fmt.Sprintf(
		`{"loadbalancer":{"publicIpAddresses":[{"frontendIpAddress":"192.0.2.3","privateIpAddress":"%[1]s"}],"inboundRules":[`+
			`{"frontendIpAddress":"192.0.2.3","protocol":"tcp","frontendPort":80,"backendPort":8080,"privateIpAddress":"%[1]s"}],"outboundRules":[]}}`,
		pod.Status.PodIP))

	c.delete(t, service)
	wait("the load balancer is gone", http.StatusNotFound, none)
}
