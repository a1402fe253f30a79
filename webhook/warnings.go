package webhook

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// warnings returns what a person should know about an admitted pod.
func (o Options) warnings(pod *corev1.Pod, decided grant.Grant, workload *workloadIdentity) []string {
	var all []string
	for _, refusal := range decided.Refusals {
		if refusal.Temporary() {
			all = append(all, "kube-imds: "+refusal.Message+"; tokens are granted once it is")
		}
	}
	for _, warn := range []func(*corev1.Pod) string{
		warnInject, warnTrust, o.warnFederated, o.warnTokenEndpoint, warnDNS, warnNoProxy, warnSharedProcesses, o.warnInterception,
	} {
		if warning := warn(pod); warning != "" {
			all = append(all, "kube-imds: "+warning)
		}
	}
	if warning := o.warnWorkloadIdentity(pod, workload); warning != "" {
		all = append(all, "kube-imds: "+warning)
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
func (o Options) warnFederated(pod *corev1.Pod) string {
	const label = workloadidentity.UseLabel
	if pod.Annotations[v1alpha1.WorkloadIdentityVariablesAnnotation] == "" &&
		(pod.Labels[label] == "true" && !o.WorkloadIdentity || isFederated(pod)) {
		return "the pod has AZURE_FEDERATED_TOKEN_FILE, or will get it by the label " + label +
			": the Azure SDKs of Python, JavaScript, Java and .NET then bypass IMDS; use only one of the two"
	}
	return ""
}

func isFederated(pod *corev1.Pod) bool {
	for container := range ownContainers(pod) {
		if hasVariable(container, workloadidentity.TokenFileVariable) {
			return true
		}
	}
	return false
}

// warnWorkloadIdentity warns about a label that gives the pod nothing, and about a tenant that is not the identity's.
func (o Options) warnWorkloadIdentity(pod *corev1.Pod, workload *workloadIdentity) string {
	if !o.WorkloadIdentity || pod.Labels[workloadidentity.UseLabel] != "true" {
		return ""
	}
	if workload == nil {
		return fmt.Sprintf("the pod has the label %s, and its ServiceAccount no annotation %s: its containers get no AZURE_CLIENT_ID",
			workloadidentity.UseLabel, workloadidentity.ClientIDAnnotation)
	}
	tenant := workload.account[workloadidentity.TenantIDAnnotation]
	if own := string(workload.identity.Spec.TenantID); tenant != "" && own != "" && !strings.EqualFold(tenant, own) {
		return fmt.Sprintf("the ServiceAccount's annotation %s is %q, and ManagedIdentity %q is of tenant %s",
			workloadidentity.TenantIDAnnotation, cut(tenant), workload.identity.Name, own)
	}
	return ""
}

// warnTokenEndpoint warns about an annotation that has no effect.
func (o Options) warnTokenEndpoint(pod *corev1.Pod) string {
	if wantsTokenEndpoint(pod) && !o.TokenEndpoint {
		return fmt.Sprintf("the annotation %s leads to an endpoint that is off: install kube-imds with workloadIdentity.localTokenEndpoint=true",
			v1alpha1.TokenEndpointAnnotation)
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
	for container := range ownContainers(pod) {
		for _, variable := range container.Env {
			if slices.Contains(noProxyVariables, variable.Name) && variable.ValueFrom != nil && slices.Contains(names, container.Name) {
				return fmt.Sprintf("container %s takes %s from a ConfigMap, Secret or field: make sure that it contains %s, or the proxy gets the requests",
					container.Name, variable.Name, imdsAddress)
			}
		}
	}
	return ""
}

func hasVariable(container *corev1.Container, name string) bool {
	return slices.ContainsFunc(container.Env, func(variable corev1.EnvVar) bool { return variable.Name == name })
}
