package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	samplePath      = "../../config/samples/demo/demo.yaml"
	sampleNamespace = "kube-imds-demo"
)

// testSampleRuns applies the sample unchanged and reads its output: a pod on each node, each with tokens that it verified itself, from both
// of the SDK's credentials, with the vault's secret, and with the blob. Without a role the same sample is refused.
func testSampleRuns(t *testing.T, c *cluster) {
	c.applySample(t)
	c.awaitSample(t, "demo", len(c.nodes), `Key Vault: the secret greeting is "hello from the cluster"`,
		`Storage: the blob greetings/hello.txt is "hello from the cluster"`)
	c.awaitSample(t, "demo-without-role", 1, "ForbiddenByRbac", "Microsoft.KeyVault/vaults/secrets/getSecret/action",
		"AuthorizationPermissionMismatch")
}

// awaitSample waits until the sample's pods on a number of nodes have said that they verified their tokens, and more.
func (c *cluster) awaitSample(t *testing.T, app string, nodes int, more ...string) {
	t.Helper()
	want := more
	for _, credential := range []string{"ManagedIdentityCredential", "DefaultAzureCredential"} {
		want = append(want, credential+": a token for https://vault.azure.net, its signature verified")
	}
	eventually(t, 2*time.Minute, "the sample "+app+" has verified its tokens and asked vault and storage account", func(ctx context.Context) error {
		var pods corev1.PodList
		if err := c.List(ctx, &pods, client.InNamespace(sampleNamespace), client.MatchingLabels{"app": app}); err != nil {
			return err
		}
		found := map[string]bool{}
		for _, pod := range pods.Items {
			raw, err := c.kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: "app"}).DoRaw(ctx)
			if err != nil {
				return err
			}
			for _, text := range want {
				if !strings.Contains(string(raw), text) {
					return fmt.Errorf("pod %s on %s has not printed %q:\n%s", pod.Name, pod.Spec.NodeName, text, raw)
				}
			}
			found[pod.Spec.NodeName] = true
		}
		if len(found) < nodes {
			return fmt.Errorf("the sample runs on %d nodes, want %d", len(found), nodes)
		}
		return nil
	})
}

// applySample creates the sample's objects.
func (c *cluster) applySample(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(samplePath)
	must(t, err, "read the sample")
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err, "read the sample")
		if len(object.Object) > 0 {
			c.create(t, object)
		}
	}
}
