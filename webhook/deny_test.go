package webhook

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestDenials(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"unknown mode": {newPod("orders", annotated(v1alpha1.ModeAnnotation, "env")),
			`kube-imds: the annotation kube-imds.io/mode is "env": want "sidecar" or no annotation`},
		"empty mode": {newPod("orders", annotated(v1alpha1.ModeAnnotation, "")),
			`kube-imds: the annotation kube-imds.io/mode is "": want "sidecar" or no annotation`},
		"host network": {newPod("orders", onHostNetwork),
			`kube-imds: a pod with hostNetwork has no network of its own for 169.254.169.254: remove hostNetwork, ` +
				`or decline with the annotation kube-imds.io/inject: "false"`},
		"Windows": {newPod("orders", onWindows),
			`kube-imds: Windows pods cannot have IMDS: decline with the annotation kube-imds.io/inject: "false"`},
		"container named like the sidecar": {newPod("orders", withContainer("kube-imds")),
			`kube-imds: container name "kube-imds" is reserved; rename it`},
		"container named like net-init": {newPod("orders", withContainer("kube-imds-net-init")),
			`kube-imds: container name "kube-imds-net-init" is reserved; rename it`},
		"init container named like the sidecar": {newPod("orders", withInitContainer("kube-imds", "migrate")),
			`kube-imds: container name "kube-imds" is reserved; rename it`},
		"init container named like net-init": {newPod("orders", withInitContainer("kube-imds-net-init")),
			`kube-imds: container name "kube-imds-net-init" is reserved; rename it`},
		"volume named like the token's": {newPod("orders", withVolume(corev1.Volume{Name: "kube-imds-token"})),
			`kube-imds: volume name "kube-imds-token" is reserved; rename it`},
		"identity does not exist": {newPod("missing"),
			`kube-imds: ManagedIdentity "missing" does not exist: create it, or ask for another with the annotation kube-imds.io/identity`},
		"impossible name": {newPod("a/b"),
			`kube-imds: ManagedIdentity "a/b" does not exist: create it, or ask for another with the annotation kube-imds.io/identity`},
		"identity does not admit": {newPod("closed"),
			`kube-imds: ManagedIdentity "closed" does not admit the ServiceAccount "cashier" of namespace "shop": ` +
				`its administrator can add them to spec.assumableBy`},
		"default ServiceAccount": {newPod("closed", as("")),
			`kube-imds: ManagedIdentity "closed" does not admit the ServiceAccount "default" of namespace "shop": ` +
				`its administrator can add them to spec.assumableBy`},
		"several refusals, one temporary": {newPod("orders,closed,waiting,missing"),
			`kube-imds: ManagedIdentity "closed" does not admit the ServiceAccount "cashier" of namespace "shop": ` +
				`its administrator can add them to spec.assumableBy; ` +
				`ManagedIdentity "missing" does not exist: create it, or ask for another with the annotation kube-imds.io/identity`},
		"too many identities": {newPod(manyNames(33)),
			`kube-imds: the pod asks for more than 32 identities: ask for fewer`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkDenied(t, m, test.pod, test.want)
		})
	}
}

func checkDenied(t *testing.T, m *mutator, pod *corev1.Pod, want string) {
	t.Helper()
	response := admit(t, m, pod)
	if response.Allowed || len(response.Patches) != 0 {
		t.Fatalf("the pod is admitted: %v", response.Patches)
	}
	if got := response.Result.Message; got != want {
		t.Errorf("denied with\n%s\nwant\n%s", got, want)
	}
	if response.Result.Code != 403 {
		t.Errorf("denied with code %d", response.Result.Code)
	}
}

func manyNames(count int) string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("identity-%d", i)
	}
	return strings.Join(names, ",")
}

func TestUnusualPodsAreAdmitted(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	for name, pod := range map[string]*corev1.Pod{
		"mode sidecar":                 newPod("orders", annotated(v1alpha1.ModeAnnotation, "sidecar")),
		"Linux":                        newPod("orders", func(pod *corev1.Pod) { pod.Spec.OS = &corev1.PodOS{Name: corev1.Linux} }),
		"sysctl that reserves port 80": newPod("orders", withSysctl("net.ipv4.ip_unprivileged_port_start", "81")),
		"another sysctl":               newPod("orders", withSysctl("net.core.somaxconn", "1024")),
		"names with our prefix":        newPod("orders", withContainer("kube-imds-app"), withInitContainer("kube-imds-net")),
		"copy of an injected pod":      newPod("orders", withInitContainer("kube-imds-net-init", "net-init"), withInitContainer("kube-imds", "serve", "--listen=127.0.0.1:1"), withVolume(ownParts{}.tokenVolume())),
		"no identity, only IMDS":       newPod("", annotated(v1alpha1.InjectAnnotation, "true")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := injectedPod(t, m, pod)
			ours := 0
			for _, container := range pod.Spec.InitContainers {
				if container.Name == sidecarName || container.Name == netInitName {
					ours++
				}
			}
			if ours != 2 || pod.Annotations[v1alpha1.InjectedAnnotation] != "sidecar" {
				t.Errorf("pod has %d of our containers and annotations %v", ours, pod.Annotations)
			}
		})
	}
}

// Pods that are not to be injected stay unchanged.
func TestPodsThatAreNotInjected(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	for name, pod := range map[string]*corev1.Pod{
		"declines":                        newPod("orders", annotated(v1alpha1.InjectAnnotation, "false")),
		"declines, could not be injected": newPod("missing", annotated(v1alpha1.InjectAnnotation, "false"), onHostNetwork),
		"mirror pod":                      newPod("", annotated(corev1.MirrorPodAnnotationKey, "hash"), onHostNetwork),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if response := admit(t, m, pod); !response.Allowed || len(response.Patches) != 0 {
				t.Errorf("allowed: %t, patches %v", response.Allowed, response.Patches)
			}
		})
	}
}
