package e2e

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testNodeMetadataIsChecked gives a node a metadata service, like a cloud's virtual machine, and checks who
// reaches it from injected pods, and that kubectl imds check reports it.
func testNodeMetadataIsChecked(t *testing.T, c *cluster) {
	plugin := filepath.Join(t.TempDir(), "kubectl-imds")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", plugin, "../../cmd/kubectl-imds").CombinedOutput()
	must(t, err, "build the plugin: %s", output)
	home := c.namespace(t)
	identity := c.identity(t, home+"-orders", home)
	capable := func(name string, capabilities *corev1.Capabilities) *corev1.Pod {
		pod := newProbePod(c, home, name, "wait").withIdentity(identity.Name).onNode(c.nodes[0])
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{RunAsUser: new(int64(0)), Capabilities: capabilities}
		return c.start(t, pod)
	}
	careless := capable("careless", nil)
	careful := capable("careful", &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}})

	before, safe := c.check(t, plugin, home)
	if !safe || !strings.Contains(before, "does not answer pods") || strings.Contains(before, careless.Name) {
		t.Errorf("without a metadata service the check passes: %t, output\n%s", safe, before)
	}

	service := newProbePod(c, home, "metadata", "listen", "--claim", imdsAddress+":80").privileged().onNode(c.nodes[0])
	service.Spec.HostNetwork = true
	c.start(t, service)
	defer c.removeAndWait(t, service.Pod)

	c.granted(t, careless, "https://vault.azure.net")
	if got, err := c.exec(t.Context(), careless, "raw"); err != nil || got != "answered" {
		t.Errorf("raw packets of a root container: got %q, error %v", got, err)
	}
	if got, err := c.exec(t.Context(), careful, "raw"); err == nil || !strings.Contains(err.Error(), "operation not permitted") {
		t.Errorf("without NET_RAW: got %q, error %v", got, err)
	}
	after, safe := c.check(t, plugin, home)
	if safe || !strings.Contains(after, "answers pods") {
		t.Errorf("with a metadata service the check passes: %t, output\n%s", safe, after)
	}
	reported := func(pod *corev1.Pod) bool {
		return slices.ContainsFunc(strings.Split(after, "\n"), func(line string) bool {
			return slices.Equal(strings.Fields(line)[:min(3, len(strings.Fields(line)))], []string{home, pod.Name, "probe"})
		})
	}
	if !reported(careless) || reported(careful) {
		t.Errorf("the check reports the careless pod: %t, the careful one: %t\n%s", reported(careless), reported(careful), after)
	}
	var left corev1.PodList
	must(t, c.List(t.Context(), &left, client.InNamespace(home)), "list the pods")
	for _, pod := range left.Items {
		if strings.HasPrefix(pod.Name, "kube-imds-check-") && pod.DeletionTimestamp == nil {
			t.Errorf("pod %s of the check remains", pod.Name)
		}
	}
}

// check runs kubectl imds check on the first node, and returns its output and whether it passed.
func (c *cluster) check(t *testing.T, plugin, namespace string) (printed string, safe bool) {
	t.Helper()
	command := exec.CommandContext(t.Context(), plugin, "check", "--namespace", namespace, "--node", c.nodes[0])
	output, err := command.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	return string(output), err == nil
}
