package chart

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// The signer's token is short-lived, and only issuers reach it.
func TestSignerIsIsolated(t *testing.T) {
	t.Parallel()
	rendered := render(t)
	pod := podsOf(t, rendered)["Deployment/kube-imds-signer"].Spec
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("the signer has Kubernetes' default token, valid for a year")
	}
	policy := as[networkingv1.NetworkPolicy](t, rendered.named(t, "NetworkPolicy", "kube-imds-signer"))
	for _, rule := range policy.Spec.Ingress {
		for _, port := range rule.Ports {
			if port.Port.StrVal != "https" {
				continue
			}
			if len(rule.From) != 1 || rule.From[0].NamespaceSelector != nil ||
				rule.From[0].PodSelector.MatchLabels["app.kubernetes.io/component"] != "issuer" {
				t.Errorf("API is open to %+v", rule.From)
			}
		}
	}
}

func TestKMSValuesReachTheSigner(t *testing.T) {
	t.Parallel()
	rendered := render(t,
		`signer.keys.kms=["hashivault://tokens-1","hashivault://tokens-2"]`,
		`signer.env=[{"name":"VAULT_ADDR","value":"https://vault:8200"}]`, `signer.envFrom=[{"secretRef":{"name":"vault"}}]`,
		`signer.volumes=[{"name":"vault","secret":{"secretName":"vault"}}]`,
		`signer.volumeMounts=[{"name":"vault","mountPath":"/vault","readOnly":true}]`,
		`signer.podLabels={"azure.workload.identity/use":"true"}`, `signer.podAnnotations={"vault.hashicorp.com/role":"signer"}`,
		`signer.serviceAccount.annotations={"eks.amazonaws.com/role-arn":"arn:aws:iam::1:role/signer"}`,
	)
	pod := podsOf(t, rendered)["Deployment/kube-imds-signer"]
	container := pod.Spec.Containers[0]
	first, second := slices.Index(container.Args, "--kms-key=hashivault://tokens-1"), slices.Index(container.Args, "--kms-key=hashivault://tokens-2")
	if first < 0 || second != first+1 {
		t.Errorf("the keys are not in order: arguments = %v", container.Args)
	}
	if !slices.ContainsFunc(container.Env, func(one corev1.EnvVar) bool { return one.Name == "VAULT_ADDR" && one.Value == "https://vault:8200" }) ||
		len(container.EnvFrom) != 1 || container.EnvFrom[0].SecretRef.Name != "vault" {
		t.Errorf("environment = %+v %+v", container.Env, container.EnvFrom)
	}
	// The signer's own variables come last, so they take precedence.
	if first := container.Env[0]; first.Name != "VAULT_ADDR" {
		t.Errorf("first variable = %s", first.Name)
	}
	if len(pod.Spec.Volumes) != 2 || len(container.VolumeMounts) != 2 || container.VolumeMounts[1].MountPath != "/vault" {
		t.Errorf("volumes = %+v, mounts = %+v", pod.Spec.Volumes, container.VolumeMounts)
	}
	if pod.Labels["azure.workload.identity/use"] != "true" || pod.Annotations["vault.hashicorp.com/role"] != "signer" {
		t.Errorf("labels = %v, annotations = %v", pod.Labels, pod.Annotations)
	}
	account := as[corev1.ServiceAccount](t, rendered.named(t, "ServiceAccount", "kube-imds-signer"))
	if account.Annotations["eks.amazonaws.com/role-arn"] == "" {
		t.Errorf("annotations of the ServiceAccount = %v", account.Annotations)
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
			t.Errorf("arguments = %[2]v, want %[1]s", flag, container.Args)
		}
	}
}

func TestAuthorityValuesReachTheController(t *testing.T) {
	t.Parallel()
	container := podsOf(t, render(t, `controller.authority={"rotateEvery":"720h","publishAhead":"1h"}`))["Deployment/kube-imds-controller"].Spec.Containers[0]
	for _, flag := range []string{"--authority-rotate-every=720h", "--authority-publish-ahead=1h"} {
		if !slices.Contains(container.Args, flag) {
			t.Errorf("arguments = %[2]v, want %[1]s", flag, container.Args)
		}
	}
}
