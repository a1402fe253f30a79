package chart

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// federated is the value of a federation issuer.
const federated = `federation.issuerURL="https://issuer.example/cluster"`

func TestFederationIsOffByDefault(t *testing.T) {
	t.Parallel()
	rendered := render(t)
	for _, object := range slices.Concat(rendered.ofKind("Secret"), rendered.ofKind("ConfigMap")) {
		if strings.Contains(object.GetName(), "federation") || strings.Contains(object.GetName(), "outbound") {
			t.Errorf("there is a %s %s", object.GetKind(), object.GetName())
		}
	}
	for name, pod := range podsOf(t, rendered) {
		for _, argument := range pod.Spec.Containers[0].Args {
			if strings.HasPrefix(argument, "--federation") || strings.HasPrefix(argument, "--outbound") {
				t.Errorf("%s has %s", name, argument)
			}
		}
	}
}

func TestFederationReachesThePods(t *testing.T) {
	t.Parallel()
	rendered := render(t, federated, `federation.clusterName="eu-1"`, `federation.proxy="http://proxy.example:3128"`,
		`federation.caBundle="-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n"`)
	pods := podsOf(t, rendered)
	outbound := []string{"--outbound-proxy=http://proxy.example:3128", "--outbound-ca-file=/etc/kube-imds/outbound/ca.crt"}
	for name, arguments := range map[string][]string{
		"Deployment/kube-imds-controller": {"--federated=true"},
		"DaemonSet/kube-imds-issuer":      outbound,
		"Deployment/kube-imds-signer": append([]string{
			"--federation-issuer=https://issuer.example/cluster", "--federation-cluster=eu-1", "--federation-rotate-every=2160h",
			"--federation-publish-ahead=168h", "--federation-keep=168h",
		}, outbound...),
	} {
		for _, argument := range arguments {
			if !slices.Contains(pods[name].Spec.Containers[0].Args, argument) {
				t.Errorf("%s misses %s: %v", name, argument, pods[name].Spec.Containers[0].Args)
			}
		}
		if len(arguments) > 1 && !mounts(pods[name], "/etc/kube-imds/outbound") {
			t.Errorf("%s does not mount the authorities", name)
		}
		if len(arguments) > 1 && pods[name].Annotations["kube-imds.io/outbound-ca"] == "" {
			t.Errorf("%s is not restarted when the authorities change", name)
		}
	}
	config := as[corev1.ConfigMap](t, rendered.named(t, "ConfigMap", "kube-imds-federation"))
	if config.Annotations["kube-imds.io/federation-issuer"] != "https://issuer.example/cluster" || config.Annotations["kube-imds.io/federation-cluster"] != "eu-1" {
		t.Errorf("annotations = %v", config.Annotations)
	}
	if len(config.Data) != 0 || len(as[corev1.Secret](t, rendered.named(t, "Secret", "kube-imds-federation-keys")).Data) != 0 {
		t.Error("the chart writes what the signer keeps")
	}
}
