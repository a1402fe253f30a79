package webhook

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	const federated = "kube-imds: the pod has AZURE_FEDERATED_TOKEN_FILE, or will get it by the label azure.workload.identity/use: " +
		"the Azure SDKs of Python, JavaScript, Java and .NET then bypass IMDS; use only one of the two"
	const notReady = `kube-imds: ManagedIdentity "waiting" is not ready: the controller has not resolved its IDs yet; tokens are granted once it is`
	m := newMutator(t, shop()...)
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want []string
	}{
		"none":      {newPod("orders"), nil},
		"not ready": {newPod("waiting"), []string{notReady}},
		"inject yes": {newPod("orders", annotated(v1alpha1.InjectAnnotation, "yes")), []string{
			`kube-imds: the annotation kube-imds.io/inject is "yes": want "true" or "false"`}},
		"inject true":               {newPod("orders", annotated(v1alpha1.InjectAnnotation, "true")), nil},
		"federated token":           {newPod("orders", withVariables("AZURE_FEDERATED_TOKEN_FILE", "/token")), []string{federated}},
		"the other webhook's label": {newPod("orders", labelled("azure.workload.identity/use", "true")), []string{federated}},
		"label is false":            {newPod("orders", labelled("azure.workload.identity/use", "false")), nil},
		"other Azure variables":     {newPod("orders", withVariables("AZURE_CLIENT_ID", "id")), nil},
		"dnsPolicy None": {newPod("orders", withDNS(corev1.DNSNone)), []string{
			"kube-imds: with dnsPolicy None the sidecar may not find the issuer: it must resolve names of Services"}},
		"dnsPolicy Default": {newPod("orders", withDNS(corev1.DNSDefault)), []string{
			"kube-imds: with dnsPolicy Default the sidecar may not find the issuer: it must resolve names of Services"}},
		"dnsPolicy ClusterFirst": {newPod("orders", withDNS(corev1.DNSClusterFirst)), nil},
		"NO_PROXY from a ConfigMap": {newPod("orders", withVariables("HTTP_PROXY", "http://proxy"), withVariableFrom("NO_PROXY")), []string{
			"kube-imds: container app takes NO_PROXY from a ConfigMap, Secret or field: make sure that it contains 169.254.169.254, or the proxy gets the requests"}},
		"no_proxy and proxy from ConfigMaps": {newPod("orders", withVariableFrom("https_proxy"), withVariableFrom("no_proxy")), []string{
			"kube-imds: container app takes no_proxy from a ConfigMap, Secret or field: make sure that it contains 169.254.169.254, or the proxy gets the requests"}},
		"literal NO_PROXY":                    {newPod("orders", withVariables("HTTP_PROXY", "http://proxy", "NO_PROXY", "localhost")), nil},
		"NO_PROXY from a ConfigMap, no proxy": {newPod("orders", withVariableFrom("NO_PROXY")), nil},
		"several": {newPod("waiting", withDNS(corev1.DNSNone), withVariables("AZURE_FEDERATED_TOKEN_FILE", "/token")), []string{notReady, federated,
			"kube-imds: with dnsPolicy None the sidecar may not find the issuer: it must resolve names of Services"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := admit(t, m, test.pod)
			if !response.Allowed || len(response.Patches) == 0 {
				t.Fatalf("pod is not injected: %v", response.Result)
			}
			if diff := cmp.Diff(test.want, slices.Clone(response.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}
