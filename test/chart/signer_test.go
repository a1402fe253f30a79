package chart

import (
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

// The signer's token is short, and nothing but issuers reaches it.
func TestSignerIsApart(t *testing.T) {
	t.Parallel()
	rendered := render(t)
	pod := podsOf(t, rendered)["Deployment/kube-imds-signer"].Spec
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("the signer's token is mounted by itself, for a year")
	}
	policy := as[networkingv1.NetworkPolicy](t, rendered.named(t, "NetworkPolicy", "kube-imds-signer"))
	for _, rule := range policy.Spec.Ingress {
		for _, port := range rule.Ports {
			if port.Port.StrVal != "https" {
				continue
			}
			if len(rule.From) != 1 || rule.From[0].NamespaceSelector != nil ||
				rule.From[0].PodSelector.MatchLabels["app.kubernetes.io/component"] != "issuer" {
				t.Errorf("its API is open to %+v", rule.From)
			}
		}
	}
}

func TestKeyValuesReachTheSigner(t *testing.T) {
	t.Parallel()
	container := podsOf(t, render(t,
		`signer.keys={"rotateEvery":"12h","publishAhead":"10m"}`, `signer.nameWorkloads=false`,
		`signer.nodeLimits={"requestsPerSecond":7,"burst":100000}`,
	))["Deployment/kube-imds-signer"].Spec.Containers[0]
	for _, flag := range []string{
		"--rotate-every=12h", "--publish-ahead=10m", "--name-workloads=false", "--node-requests-per-second=7", "--node-burst=100000",
	} {
		if !slices.Contains(container.Args, flag) {
			t.Errorf("the signer is not told %s but %v", flag, container.Args)
		}
	}
}

func TestAuthorityValuesReachTheController(t *testing.T) {
	t.Parallel()
	container := podsOf(t, render(t, `controller.authority={"rotateEvery":"720h","publishAhead":"1h"}`))["Deployment/kube-imds-controller"].Spec.Containers[0]
	for _, flag := range []string{"--authority-rotate-every=720h", "--authority-publish-ahead=1h"} {
		if !slices.Contains(container.Args, flag) {
			t.Errorf("the controller is not told %s but %v", flag, container.Args)
		}
	}
}
