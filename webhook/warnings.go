package webhook

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// warnings returns what a person should know about an admitted pod.
func (o Options) warnings(pod *corev1.Pod, decided grant.Grant) []string {
	var all []string
	for _, refusal := range decided.Refusals {
		if refusal.Temporary() {
			all = append(all, "kube-imds: "+refusal.Message+"; tokens are granted once it is")
		}
	}
	for _, warn := range []func(*corev1.Pod) string{
		warnInject, warnFederated, warnDNS, warnNoProxy, warnSharedProcesses, o.warnInterception,
	} {
		if warning := warn(pod); warning != "" {
			all = append(all, "kube-imds: "+warning)
		}
	}
	return all
}

func warnInject(pod *corev1.Pod) string {
	value, found := pod.Annotations[v1alpha1.InjectAnnotation]
	if !found || value == "true" {
		return ""
	}
	return fmt.Sprintf("the annotation %s is %q: want \"true\" or \"false\"", v1alpha1.InjectAnnotation, value)
}

// warnFederated warns about an environment that makes SDKs bypass IMDS (clients.md, "Federated env wins over IMDS inside
// MIC").
func warnFederated(pod *corev1.Pod) string {
	const otherWebhook = "azure.workload.identity/use"
	if pod.Labels[otherWebhook] == "true" || slices.ContainsFunc(ownContainers(pod), func(container corev1.Container) bool {
		return hasVariable(container, "AZURE_FEDERATED_TOKEN_FILE")
	}) {
		return "the pod has AZURE_FEDERATED_TOKEN_FILE, or will get it by the label " + otherWebhook +
			": the Azure SDKs of Python, JavaScript, Java and .NET then bypass IMDS; use only one of the two"
	}
	return ""
}

// warnDNS warns about a pod that cannot resolve the issuer's Service.
func warnDNS(pod *corev1.Pod) string {
	if pod.Spec.DNSPolicy != corev1.DNSDefault && pod.Spec.DNSPolicy != corev1.DNSNone {
		return ""
	}
	return fmt.Sprintf("with dnsPolicy %s the sidecar may not find the issuer: it must resolve names of Services", pod.Spec.DNSPolicy)
}

func warnNoProxy(pod *corev1.Pod) string {
	names := proxied(pod)
	for _, container := range ownContainers(pod) {
		for _, variable := range container.Env {
			if slices.Contains(noProxyVariables, variable.Name) && variable.ValueFrom != nil && slices.Contains(names, container.Name) {
				return fmt.Sprintf("container %s takes %s from a ConfigMap, Secret or field: make sure that it contains %s, or the proxy gets the requests",
					container.Name, variable.Name, imdsAddress)
			}
		}
	}
	return ""
}

func hasVariable(container corev1.Container, name string) bool {
	return slices.ContainsFunc(container.Env, func(variable corev1.EnvVar) bool { return variable.Name == name })
}
