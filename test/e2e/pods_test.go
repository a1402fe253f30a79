package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// issuerTokenFile is the path of a token like the sidecar's in a probe pod.
const issuerTokenFile = "/var/run/secrets/probe/token"

// probePod returns a pod that runs the probe.
type probePod struct{ *corev1.Pod }

func newProbePod(c *cluster, namespace, name string, arguments ...string) probePod {
	none := resource.MustParse("0")
	return probePod{&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{}},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			TerminationGracePeriodSeconds: new(int64(1)),
			Containers: []corev1.Container{{
				Name:            "probe",
				Image:           "kube-imds/probe:" + c.version,
				ImagePullPolicy: corev1.PullIfNotPresent,
				Args:            arguments,
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: none, corev1.ResourceMemory: none},
				},
			}},
		},
	}}
}

// withIdentity asks for identities by annotation.
func (p probePod) withIdentity(names ...string) probePod {
	p.Annotations[v1alpha1.IdentityAnnotation] = strings.Join(names, ",")
	return p
}

func (p probePod) onNode(name string) probePod {
	p.Spec.NodeSelector = map[string]string{corev1.LabelHostname: name}
	return p
}

// privileged gives the probe all rights that a pod can have except the host's namespaces.
func (p probePod) privileged() probePod {
	p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true), RunAsUser: new(int64(0))}
	return p
}

// withIssuerToken mounts a token like the sidecar's at issuerTokenFile.
func (p probePod) withIssuerToken() probePod {
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{
		Name: "issuer-token",
		VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience: issuerapi.Audience, ExpirationSeconds: new(int64(600)), Path: "token",
			}}},
		}},
	})
	container := &p.Spec.Containers[0]
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{
		Name: "issuer-token", MountPath: strings.TrimSuffix(issuerTokenFile, "/token"), ReadOnly: true,
	})
	return p
}

// trusting sets the certificate authorities that the probe trusts.
func (p probePod) trusting(authorities string) probePod {
	container := &p.Spec.Containers[0]
	container.Env = append(container.Env, corev1.EnvVar{Name: "PROBE_CA", Value: authorities})
	return p
}

// trustingInstallation asks for trust in the installation's authority.
func (p probePod) trustingInstallation() probePod {
	p.Annotations[v1alpha1.TrustAnnotation] = "true"
	return p
}

// withAzureHosts asks for host names of Azure.
func (p probePod) withAzureHosts(hosts ...string) probePod {
	p.Annotations[v1alpha1.AzureHostsAnnotation] = strings.Join(hosts, ",")
	return p
}

// start creates the pod and waits until its containers are ready.
func (c *cluster) start(t *testing.T, pod probePod) *corev1.Pod {
	t.Helper()
	c.create(t, pod.Pod)
	c.waitReady(t, pod.Pod)
	return pod.Pod
}

func (c *cluster) waitReady(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	eventually(t, 2*time.Minute, "the pod "+pod.Name+" is ready", func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("phase %s: %s", pod.Status.Phase, containerStates(pod))
	})
}

func containerStates(pod *corev1.Pod) string {
	var states []string
	for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		state, _ := json.Marshal(status.State)
		states = append(states, status.Name+" "+string(state))
	}
	return strings.Join(states, ", ")
}

// execTime bounds a run of the probe in a pod. Its own timeouts are shorter.
const execTime = 45 * time.Second

// exec runs the probe in a running pod and returns its output. It retries once if the cluster does not end the stream, as happens in
// one of many hundred runs.
func (c *cluster) exec(ctx context.Context, pod *corev1.Pod, arguments ...string) (string, error) {
	output, err := c.execOnce(ctx, pod, arguments)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		output, err = c.execOnce(ctx, pod, arguments)
	}
	return output, err
}

func (c *cluster) execOnce(ctx context.Context, pod *corev1.Pod, arguments []string) (string, error) {
	request := c.kube.CoreV1().RESTClient().Post().
		Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: "probe", Command: append([]string{"/probe"}, arguments...), Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(c.config, http.MethodGet, request.URL().String())
	if err != nil {
		return "", fmt.Errorf("prepare to run in pod %s: %w", pod.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, execTime)
	defer cancel()
	var stdout, stderr bytes.Buffer
	if err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &stdout, Stderr: &stderr}); err != nil {
		return "", fmt.Errorf("run probe %s in pod %s: %w: %s", arguments[0], pod.Name, err, stderr.String())
	}
	return strings.TrimSpace(stdout.String()), nil
}

// token returns a token for the resource from the Azure SDK in the pod.
func (c *cluster) token(t *testing.T, pod *corev1.Pod, resource string, flags ...string) string {
	t.Helper()
	token, err := c.exec(t.Context(), pod, append([]string{"token", "--resource", resource}, flags...)...)
	must(t, err, "get a token")
	return token
}

// answer is the output of the probe's get.
type answer struct {
	Status  int
	Headers http.Header
	Body    string
	Error   string
}

// get sends a request from the pod.
func (c *cluster) get(ctx context.Context, pod *corev1.Pod, arguments ...string) (answer, error) {
	var a answer
	output, err := c.exec(ctx, pod, append([]string{"get"}, arguments...)...)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal([]byte(output), &a); err != nil {
		return a, fmt.Errorf("read the probe's answer %q: %w", output, err)
	}
	return a, nil
}

// askIMDS sends one token request without an SDK, and returns the response.
func (c *cluster) askIMDS(ctx context.Context, pod *corev1.Pod, resource string) (answer, error) {
	return c.get(ctx, pod, "--header", "Metadata: true",
		"http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource="+resource)
}

// logs returns a container's output.
func (c *cluster) logs(t *testing.T, namespace, pod, container string) string {
	t.Helper()
	raw, err := c.kube.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container}).DoRaw(t.Context())
	must(t, err, "read the log of container %s in pod %s", container, pod)
	return string(raw)
}
