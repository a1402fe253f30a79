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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	samplePath      = "../../config/samples/demo/demo.yaml"
	sampleNamespace = "kube-imds-demo"
)

// testSampleRuns applies the sample unchanged and reads its output: a pod on each node, each with tokens that it
// verified itself, from both of the SDK's credentials.
func testSampleRuns(t *testing.T, c *cluster) {
	c.applySample(t)
	eventually(t, 2*time.Minute, "the sample has verified tokens on both nodes", func(ctx context.Context) error {
		var pods corev1.PodList
		if err := c.List(ctx, &pods, client.InNamespace(sampleNamespace), client.MatchingLabels{"app": "demo"}); err != nil {
			return err
		}
		nodes := map[string]bool{}
		for _, pod := range pods.Items {
			raw, err := c.kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: "app"}).DoRaw(ctx)
			if err != nil {
				return err
			}
			for _, credential := range []string{"ManagedIdentityCredential", "DefaultAzureCredential"} {
				if !strings.Contains(string(raw), credential+": a token for https://vault.azure.net, its signature verified") {
					return fmt.Errorf("pod %s on %s has printed no verified token of %s:\n%s", pod.Name, pod.Spec.NodeName, credential, raw)
				}
			}
			nodes[pod.Spec.NodeName] = true
		}
		if len(nodes) < len(c.nodes) {
			return fmt.Errorf("the sample runs on %d nodes", len(nodes))
		}
		return nil
	})
}

// applySample creates the sample's objects and its copy of the certificate authority.
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
	c.create(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: sampleNamespace, Name: caConfigMap},
		Data:       map[string]string{caCertificate: c.authorities(t)},
	})
}
