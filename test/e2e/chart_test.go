package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	chartPath     = "../../charts/kube-imds"
	release       = "kube-imds"
	namespace     = "kube-imds-system"
	issuer        = "kube-imds-issuer"
	oidcURL       = "https://kube-imds-oidc.kube-imds-system.svc"
	caConfigMap   = "kube-imds-ca"
	caCertificate = "ca.crt"
)

// chartVersion returns the chart's app version, which is the tag of its images.
func chartVersion(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(chartPath + "/Chart.yaml")
	must(t, err, "read the chart")
	var chart struct {
		AppVersion string `json:"appVersion"`
	}
	must(t, yaml.Unmarshal(content, &chart), "read the chart's version")
	return chart.AppVersion
}

// installChart installs or upgrades the chart with the values of all tests and others, and waits until it is ready.
func (c *cluster) installChart(t *testing.T, values ...string) {
	t.Helper()
	arguments := []string{
		"upgrade", "--install", release, chartPath, "--values", c.commonValues(t),
		"--namespace", namespace, "--create-namespace", "--wait", "--timeout", "5m",
	}
	for _, value := range values {
		arguments = append(arguments, "--set", value)
	}
	c.helm(t, arguments...)
}

// commonValues returns a file with the values that differ from the chart's defaults in all tests: the website of the federation issuer, and
// vaults and storage accounts. An upgrade without them would take them from the tests that follow.
func (c *cluster) commonValues(t *testing.T) string {
	t.Helper()
	values, err := json.Marshal(map[string]any{
		"federation": map[string]string{"issuerURL": website, "caBundle": string(c.outside.pem)},
		"keyVault":   map[string]any{"enabled": true, "publicHosts": []string{azureDomain}},
		"storage":    map[string]any{"enabled": true, "publicHosts": []string{azureBlobDomain}},
	})
	must(t, err, "render the values")
	path := filepath.Join(t.TempDir(), "values.json")
	must(t, os.WriteFile(path, values, 0o600), "write the values")
	return path
}

func testChartTestPasses(t *testing.T, c *cluster) {
	c.helm(t, "test", release, "--namespace", namespace, "--timeout", "3m")
}

// Kubernetes checks the expressions of the chart's policies against the types of the objects that they are about.
func testPoliciesFitTheirObjects(t *testing.T, c *cluster) {
	var policies admissionregistrationv1.ValidatingAdmissionPolicyList
	eventually(t, 2*time.Minute, "all policies are checked", func(ctx context.Context) error {
		if err := c.List(ctx, &policies, client.MatchingLabels{"app.kubernetes.io/instance": release}); err != nil {
			return err
		}
		if len(policies.Items) == 0 {
			return errors.New("the chart has no policies")
		}
		for _, policy := range policies.Items {
			if policy.Status.TypeChecking == nil || policy.Status.ObservedGeneration != policy.Generation {
				return fmt.Errorf("policy %s is not checked yet", policy.Name)
			}
		}
		return nil
	})
	for _, policy := range policies.Items {
		for _, warning := range policy.Status.TypeChecking.ExpressionWarnings {
			t.Errorf("%s: %s: %s", policy.Name, warning.FieldRef, warning.Warning)
		}
	}
}

// helm runs helm to its end.
func (c *cluster) helm(t *testing.T, arguments ...string) {
	t.Helper()
	binary := os.Getenv("HELM")
	if binary == "" {
		binary = "helm"
	}
	command := exec.CommandContext(t.Context(), binary, arguments...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	must(t, command.Run(), "helm %s: %s", arguments[0], &output)
}

// authorities returns the certificate authorities of kube-imds' own servers, in PEM.
func (c *cluster) authorities(t *testing.T) string {
	t.Helper()
	var bundle corev1.ConfigMap
	must(t, c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: caConfigMap}, &bundle), "read the CA")
	return bundle.Data[caCertificate]
}

// issuerPod returns the issuer on a node.
func (c *cluster) issuerPod(t *testing.T, node string) *corev1.Pod {
	t.Helper()
	pod, err := c.findIssuer(t.Context(), node)
	must(t, err, "find the issuer")
	return pod
}

func (c *cluster) findIssuer(ctx context.Context, node string) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(namespace), client.MatchingFields{"spec.nodeName": node},
		client.MatchingLabels{"app.kubernetes.io/component": "issuer"}); err != nil {
		return nil, fmt.Errorf("list the issuers: %w", err)
	}
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp.IsZero() {
			return &pods.Items[i], nil
		}
	}
	return nil, fmt.Errorf("no issuer on node %s", node)
}

// describeFailure logs the state of kube-imds' pods if a test failed.
func (c *cluster) describeFailure(t *testing.T) {
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		t.Logf("list the pods of kube-imds: %v", err)
		return
	}
	for _, pod := range pods.Items {
		t.Logf("pod %s on %s is %s: %s", pod.Name, pod.Spec.NodeName, pod.Status.Phase, containerStates(&pod))
		lines := int64(40)
		options := &corev1.PodLogOptions{TailLines: &lines}
		if raw, err := c.kube.CoreV1().Pods(namespace).GetLogs(pod.Name, options).DoRaw(ctx); err == nil {
			t.Logf("end of its log:\n%s", raw)
		}
	}
}
