package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testUninstalled uninstalls the chart while a pod runs.
func testUninstalled(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-survivor", home)
	pod := c.start(t, newProbePod(c, home, "survivor", "wait").withIdentity(identity.Name))
	c.granted(t, pod, "https://vault.azure.net")

	c.helm(t, "uninstall", release, "--namespace", namespace, "--wait")

	eventually(t, 2*time.Minute, "nothing of kube-imds is left", func(ctx context.Context) error {
		if left := c.remains(ctx, t); len(left) > 0 {
			return fmt.Errorf("remaining: %s", strings.Join(left, ", "))
		}
		return nil
	})
	// The identity was deleted with the chart, so its tokens may have ended; but IMDS still answers.
	a, err := c.askIMDS(t.Context(), pod, "https://vault.azure.net")
	must(t, err, "send the running pod's IMDS a request")
	if !strings.HasPrefix(a.Headers.Get("Server"), "IMDS/") {
		t.Errorf("the running pod's IMDS no longer answers: %+v", a)
	}
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(pod), pod), "read the pod")
	for _, status := range pod.Status.ContainerStatuses {
		if !status.Ready || status.RestartCount > 0 {
			t.Errorf("the running pod was disturbed: %s", containerStates(pod))
		}
	}
	c.start(t, newProbePod(c, home, "latecomer", "wait").withIdentity(identity.Name))
}

// notOurs holds kinds whose objects may have our name but are not the chart's: the namespace and the nodes of a local
// cluster, and events, which the cluster deletes by itself.
var notOurs = []string{"Namespace", "Node", "CSINode", "Event", "CertificateSigningRequest"}

// remains lists all objects with kube-imds in their names.
func (c *cluster) remains(ctx context.Context, t *testing.T) []string {
	t.Helper()
	objects, err := metadata.NewForConfig(c.config)
	must(t, err, "make a client")
	_, resources, err := c.kube.Discovery().ServerGroupsAndResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		must(t, err, "discover the kinds")
	}
	var left []string
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, resources) {
		for _, resource := range list.APIResources {
			if slices.Contains(notOurs, resource.Kind) {
				continue
			}
			version, err := schema.ParseGroupVersion(list.GroupVersion)
			must(t, err, "read the version of %s", resource.Name)
			found, err := objects.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
			if err != nil {
				return append(left, fmt.Sprintf("what cannot be listed: %s: %v", resource.Name, err))
			}
			for _, item := range found.Items {
				if strings.HasPrefix(item.Name, release) && (item.Namespace == "" || item.Namespace == namespace || item.Name == trustConfigMap) {
					left = append(left, resource.Kind+" "+item.Name)
				}
			}
		}
	}
	return left
}
