package webhook

import (
	"iter"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// imdsAddress is the address of IMDS.
const imdsAddress = "169.254.169.254"

// The proxy variables, and the variables of exceptions. Programs differ in the case that they read.
var (
	proxyVariables   = []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}
	noProxyVariables = []string{"NO_PROXY", "no_proxy"}
)

// proxied returns the names of the pod's own containers with a proxy in their environment.
func proxied(pod *corev1.Pod) []string {
	var names []string
	for container := range ownContainers(pod) {
		if slices.ContainsFunc(container.Env, func(variable corev1.EnvVar) bool {
			return slices.Contains(proxyVariables, variable.Name)
		}) {
			names = append(names, container.Name)
		}
	}
	return names
}

// ownContainers returns the containers that the pod came with.
func ownContainers(pod *corev1.Pod) iter.Seq[*corev1.Container] {
	return func(yield func(*corev1.Container) bool) {
		for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
			for i := range list {
				if _, ours := ownSubcommands[list[i].Name]; !ours && !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// extendNoProxy adds hosts to the exceptions of a container with a proxy.
func extendNoProxy(container *containerEdit, hosts []string) {
	if !slices.ContainsFunc(proxyVariables, container.has) {
		return
	}
	for _, name := range noProxyVariables {
		variable, found := container.variable(name)
		if variable.ValueFrom != nil {
			continue
		}
		value := variable.Value
		if !found {
			value = otherCase(container, name)
		}
		container.setVariable(name, withHosts(value, hosts))
	}
}

// otherCase returns the value of the same variable in the other case, which a new variable must not contradict.
func otherCase(container *containerEdit, name string) string {
	for _, other := range noProxyVariables {
		if variable, found := container.variable(other); other != name && found {
			if variable.ValueFrom != nil {
				return "$(" + other + ")"
			}
			return variable.Value
		}
	}
	return ""
}

func withHosts(value string, hosts []string) string {
	entries := strings.Split(value, ",")
	for i := range entries {
		entries[i] = strings.TrimSpace(entries[i])
	}
	if slices.Contains(entries, "*") {
		return value
	}
	for _, host := range hosts {
		switch {
		case slices.Contains(entries, host):
		case strings.TrimSpace(value) == "":
			value = host
		default:
			value += "," + host
		}
	}
	return value
}
