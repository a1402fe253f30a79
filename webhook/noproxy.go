package webhook

import (
	"fmt"
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
	for _, container := range ownContainers(pod) {
		if slices.ContainsFunc(container.Env, func(variable corev1.EnvVar) bool {
			return slices.Contains(proxyVariables, variable.Name)
		}) {
			names = append(names, container.Name)
		}
	}
	return names
}

// ownContainers returns the containers that the pod came with.
func ownContainers(pod *corev1.Pod) []corev1.Container {
	return slices.DeleteFunc(slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers), func(container corev1.Container) bool {
		_, ours := ownSubcommands[container.Name]
		return ours
	})
}

// extendNoProxy adds hosts to the exceptions of a container with a proxy.
func extendNoProxy(container map[string]any, hosts []string) error {
	variables, _ := container["env"].([]any)
	if !slices.ContainsFunc(proxyVariables, func(name string) bool { return find(variables, name) != nil }) {
		return nil
	}
	for _, name := range noProxyVariables {
		variable := find(variables, name)
		if variable == nil {
			variables = append(variables, map[string]any{"name": name, "value": otherCase(variables, name)})
			variable = find(variables, name)
		}
		if _, fromElsewhere := variable["valueFrom"]; fromElsewhere {
			continue
		}
		value, ok := variable["value"].(string)
		if !ok && variable["value"] != nil {
			return fmt.Errorf("the variable %s of a container is not a string", name)
		}
		variable["value"] = withHosts(value, hosts)
	}
	container["env"] = variables
	return nil
}

// otherCase returns the value of the same variable in the other case, which a new variable must not contradict.
func otherCase(variables []any, name string) string {
	for _, other := range noProxyVariables {
		if variable := find(variables, other); other != name && variable != nil {
			if _, fromElsewhere := variable["valueFrom"]; fromElsewhere {
				return "$(" + other + ")"
			}
			value, _ := variable["value"].(string)
			return value
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

// find returns a variable by name; the last one counts.
func find(variables []any, name string) map[string]any {
	for _, variable := range slices.Backward(variables) {
		if fields, ok := variable.(map[string]any); ok && fields["name"] == name {
			return fields
		}
	}
	return nil
}
