package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// azureBlobDomain is what the public hosts of accounts' blobs end in.
const azureBlobDomain = "blob.core.windows.net"

// testStorageHoldsBlobs takes the way of an application: IMDS, a token, the account by its name, a blob. Azure's name of the account leads there
// where a pod asks for it. It reaches Azurite by no other way.
func testStorageHoldsBlobs(t *testing.T, c *cluster) {
	home := c.namespace(t)
	account := strings.ReplaceAll(home, "-", "")
	writer, reader := c.identity(t, home+"-blobs", home), c.identity(t, home+"-blobs-read", home)
	host := account + "." + azureBlobDomain
	c.create(t, &v1alpha1.StorageAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: account},
		Spec:       v1alpha1.StorageAccountSpec{PublicHosts: []v1alpha1.StorageHost{v1alpha1.StorageHost(host)}},
	})
	for identity, role := range map[string]v1alpha1.RoleName{writer.Name: v1alpha1.StorageBlobDataContributor, reader.Name: v1alpha1.StorageBlobDataReader} {
		c.create(t, &v1alpha1.RoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: identity}, Spec: v1alpha1.RoleAssignmentSpec{
			Principal: v1alpha1.AssignedPrincipal{Identity: identity}, Role: role, Scope: v1alpha1.AssignmentScope{StorageAccount: account},
		}})
	}
	writes := c.start(t, newProbePod(c, home, "writes", "wait").withIdentity(writer.Name).onNode(c.nodes[0]).trusting(c.authorities(t)))
	reads := c.start(t, newProbePod(c, home, "reads", "wait").withIdentity(reader.Name).onNode(c.nodes[1]).trustingInstallation().withAzureHosts(host))

	invoices := "https://" + account + ".blob." + namespace + ".svc/invoices"
	unauthenticated, err := c.get(t.Context(), writes, invoices+"/one")
	must(t, err, "ask the account without a token")
	if challenge := unauthenticated.Headers.Get("WWW-Authenticate"); unauthenticated.Status != http.StatusUnauthorized || !strings.Contains(challenge, "resource_id=https://storage.azure.com") {
		t.Errorf("without a token: got %d, challenge %s", unauthenticated.Status, challenge)
	}
	c.awaitStorage(t, writes, http.StatusCreated, "", "--method", "PUT", invoices+"?restype=container")
	put := []string{"--method", "PUT", "--header", "x-ms-blob-type: BlockBlob", "--body", "hello", invoices + "/one"}
	c.awaitStorage(t, writes, http.StatusCreated, "", put...)
	c.awaitStorage(t, reads, http.StatusOK, "hello", invoices+"/one")
	c.awaitStorage(t, reads, http.StatusOK, "hello", "https://"+host+"/invoices/one")
	c.awaitStorage(t, reads, http.StatusForbidden, "AuthorizationPermissionMismatch", put...)

	var gates corev1.PodList
	must(t, c.List(t.Context(), &gates, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/component": "storage-gate"}), "find the gate")
	for _, gate := range gates.Items {
		got, err := c.get(t.Context(), reads, "https://"+gate.Status.PodIP+":10000/"+account+"?comp=list")
		must(t, err, "ask Azurite")
		if !strings.Contains(got.Error, "connection refused") {
			t.Errorf("Azurite is reached from another pod: %d %s", got.Status, got.Error)
		}
	}
}

// awaitStorage waits until the account answers a pod's request with a status and a body that has a text.
func (c *cluster) awaitStorage(t *testing.T, pod *corev1.Pod, status int, text string, arguments ...string) {
	t.Helper()
	token := c.token(t, pod, "https://storage.azure.com")
	eventually(t, time.Minute, fmt.Sprintf("the account answers %s with %d", pod.Name, status), func(ctx context.Context) error {
		got, err := c.get(ctx, pod, append([]string{"--bearer", token, "--header", "x-ms-version: 2026-04-06"}, arguments...)...)
		if err == nil && (got.Status != status || !strings.Contains(got.Body, text)) {
			err = fmt.Errorf("got %d %s %s", got.Status, got.Body, got.Error)
		}
		return err
	})
}
