package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// serverContainer is the container of a web server, beside the probe's.
const serverContainer = "server"

// portSysctl lets any user listen on ports from its value up.
const portSysctl = "net.ipv4.ip_unprivileged_port_start"

// webServer is an application that listens on an address.
type webServer struct {
	// image is nginx's and Apache's, kube-imds/web (test/apps/web), or the probe's.
	image     string
	arguments []string
	address   string

	// header is the prefix of its Server header.
	header string

	// user is the user that it runs as.
	user int64

	// sysctl is the pod's value of portSysctl, or "".
	sysctl string

	// capable gives the server's program NET_BIND_SERVICE by a file capability.
	capable bool
}

func nginx(address string) webServer {
	return webServer{image: "web", arguments: []string{"nginx", address}, address: address, header: "nginx/"}
}

func apache(address string) webServer {
	return webServer{image: "web", arguments: []string{"apache", address}, address: address, header: "Apache/"}
}

func goServer(address string) webServer {
	return webServer{image: "probe", arguments: []string{"serve", address}, address: address, header: "probe"}
}

func (s webServer) asUser(id int64) webServer {
	s.user = id
	return s
}

// allowedBySysctl lets all users of the pod listen on port 80.
func (s webServer) allowedBySysctl() webServer {
	s.sysctl = "0"
	return s
}

// allowedByFile lets the server's program listen on port 80 by a file capability, in a pod that reserves the port for
// root.
func (s webServer) allowedByFile() webServer {
	s.sysctl, s.capable = "1024", true
	return s
}

// local reports whether the server can be reached from within its pod only.
func (s webServer) local() bool { return strings.HasPrefix(s.address, "127.") }

// serving adds a web server to the pod, with the kubelet's probes if it can be reached from outside.
func (p probePod) serving(c *cluster, s webServer) probePod {
	container := corev1.Container{
		Name: serverContainer, Image: "kube-imds/" + s.image + ":" + c.version, ImagePullPolicy: corev1.PullIfNotPresent,
		Args: s.arguments, SecurityContext: &corev1.SecurityContext{RunAsUser: new(s.user)},
	}
	if !s.local() {
		_, port, _ := net.SplitHostPort(s.address)
		asked := &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 10, TimeoutSeconds: 5, ProbeHandler: corev1.ProbeHandler{
			HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.Parse(port)}}}
		container.Ports = []corev1.ContainerPort{{ContainerPort: asked.HTTPGet.Port.IntVal}}
		container.ReadinessProbe, container.LivenessProbe = asked, asked
	}
	if s.sysctl != "" {
		p = p.withPortSysctl(s.sysctl)
	}
	if s.capable {
		p.Spec.InitContainers = append(p.Spec.InitContainers, s.giveCapability(&container))
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{
			Name: "program", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	}
	p.Spec.Containers = append(p.Spec.Containers, container)
	return p
}

// giveCapability returns an init container that copies nginx for the server, with a file capability.
func (s webServer) giveCapability(server *corev1.Container) corev1.Container {
	const program = "/program/nginx"
	mounts := []corev1.VolumeMount{{Name: "program", MountPath: "/program"}}
	server.Env = append(server.Env, corev1.EnvVar{Name: "PROGRAM", Value: program})
	server.VolumeMounts = mounts
	server.SecurityContext.Capabilities = &corev1.Capabilities{
		Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"NET_BIND_SERVICE"}}
	return corev1.Container{
		Name: "give-capability", Image: server.Image, ImagePullPolicy: server.ImagePullPolicy, VolumeMounts: mounts,
		Command: []string{"/bin/sh", "-ec",
			"cp /usr/sbin/nginx " + program + "; /usr/sbin/setcap cap_net_bind_service=+ep " + program},
		SecurityContext: &corev1.SecurityContext{RunAsUser: new(int64(0))},
	}
}

// withPortSysctl sets the pod's own value of portSysctl.
func (p probePod) withPortSysctl(value string) probePod {
	p.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: portSysctl, Value: value}}}
	return p
}

// deploy creates a Deployment of the pod and a Service of the same name, and waits until its pod is available.
func (c *cluster) deploy(t *testing.T, pod probePod) *corev1.Pod {
	t.Helper()
	template := pod.template()
	template.Labels = map[string]string{"made-by": pod.Name}
	template.Spec.RestartPolicy = corev1.RestartPolicyAlways
	meta := metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}
	deployment := &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template}}
	c.create(t, deployment)
	c.create(t, &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Selector: template.Labels, Ports: []corev1.ServicePort{{Port: 80}}}})
	made := c.podOf(t, pod.Namespace, pod.Name)
	eventually(t, 3*time.Minute, "the Deployment "+pod.Name+" is available", func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(made), made); err != nil {
			return err
		}
		if err := c.Get(ctx, client.ObjectKeyFromObject(deployment), deployment); err != nil {
			return err
		}
		if deployment.Status.AvailableReplicas != 1 {
			return fmt.Errorf("phase %s: %s", made.Status.Phase, containerStates(made))
		}
		return nil
	})
	return made
}
