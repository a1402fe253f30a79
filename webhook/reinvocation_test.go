package webhook

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Between two runs another webhook may change anything, and this program may be upgraded. The second run makes
// what a first run would make of the changed pod.
func TestSecondRunReplacesTheFirst(t *testing.T) {
	t.Parallel()
	before := newMutator(t, shop()...)
	after := newMutator(t, shop()...)
	after.options.SidecarImage = "registry.example/sidecar:2"
	after.options.IssuerURL = "https://other-issuer.other.svc"
	after.options.SidecarResources = resources("7m", "70Mi")
	after.options.CABundle = func(context.Context) []byte { return []byte("another authority") }

	for name, test := range map[string]struct {
		first *corev1.Pod
		turn  func(*corev1.Pod)
	}{
		"another ServiceAccount":            {newPod("", as("bound"), annotated(v1alpha1.InjectAnnotation, "true")), as("annotated")},
		"ServiceAccount without identities": {newPod("", as("bound"), annotated(v1alpha1.InjectAnnotation, "true")), as("cashier")},
		"other identities":                  {newPod("orders,payments"), annotated(v1alpha1.IdentityAnnotation, "payments")},
		"another container":                 {newPod("orders"), withContainer("mesh")},
		"init container in front": {newPod("orders"), func(pod *corev1.Pod) {
			pod.Spec.InitContainers = append([]corev1.Container{{Name: "mesh-init", Image: "mesh"}}, pod.Spec.InitContainers...)
		}},
		"changed sidecar": {newPod("orders"), func(pod *corev1.Pod) {
			for i := range pod.Spec.InitContainers {
				container := &pod.Spec.InitContainers[i]
				container.Image = "registry.example/evil"
				container.Env = append(container.Env, corev1.EnvVar{Name: "HTTP_PROXY", Value: "evil"})
				container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "evil", MountPath: "/evil"})
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			second := injectedPod(t, before, test.first)
			test.turn(second)
			fresh := test.first.DeepCopy()
			test.turn(fresh)
			got, want := injectedPod(t, after, second), injectedPod(t, after, fresh)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pod (-injected once +injected twice):\n%s", diff)
			}
			content, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			for _, old := range []string{"sidecar:1", "kube-imds-issuer", "the authority's", "evil"} {
				if strings.Contains(string(content), old) {
					t.Errorf("%q remains: %s", old, content)
				}
			}
		})
	}
}

// AlwaysPullImages and a LimitRange's defaults change the pod after the first run, and must remain after the second.
func TestValuesSetByTheAPIServerRemain(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	pod := injectedPod(t, m, newPod("orders"))
	storage := resource.MustParse("1Gi")
	for i := range pod.Spec.InitContainers {
		container := &pod.Spec.InitContainers[i]
		container.ImagePullPolicy = corev1.PullAlways
		container.Resources.Requests[corev1.ResourceEphemeralStorage] = storage
		container.Resources.Limits[corev1.ResourceEphemeralStorage] = storage
		container.Resources.Limits[corev1.ResourceCPU] = resource.MustParse("100")
	}
	pod = injectedPod(t, m, pod)
	for i, want := range []corev1.ResourceRequirements{m.options.NetInitResources, m.options.SidecarResources} {
		for _, amounts := range []*corev1.ResourceList{&want.Requests, &want.Limits} {
			*amounts = maps.Clone(*amounts)
			(*amounts)[corev1.ResourceEphemeralStorage] = storage
		}
		container := pod.Spec.InitContainers[i]
		if diff := cmp.Diff(want, container.Resources); diff != "" || container.ImagePullPolicy != corev1.PullAlways {
			t.Errorf("%s: pull policy %s, resources (-want +got):\n%s", container.Name, container.ImagePullPolicy, diff)
		}
	}
}

// The record of a proxy is removed when the proxy is gone.
func TestRecordFollowsTheProxy(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	pod := injectedPod(t, m, newPod("orders", withVariables("HTTP_PROXY", "http://proxy")))
	if got := pod.Annotations[v1alpha1.NoProxyAnnotation]; got != "app" {
		t.Errorf("recorded: %q", got)
	}
	pod.Spec.Containers[0].Env = nil
	pod = injectedPod(t, m, pod)
	if got, found := pod.Annotations[v1alpha1.NoProxyAnnotation]; found {
		t.Errorf("recorded: %q", got)
	}
}
