package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

var blobOperations = []string{"container create", "blob upload", "blob upload in blocks", "blob blocks", "blob download", "blob list",
	"blob properties", "blob delete", "container delete"}

// blobSDKs maps clients to their libraries for blobs.
var blobSDKs = map[string][]sdkLibrary{
	"go":     {{"go azblob", blobOperations}},
	"python": {{"python azure-storage-blob", blobOperations}},
	"node":   {{"js @azure/storage-blob", blobOperations}},
	"java":   {{"java azure-storage-blob", blobOperations}},
	"rust":   {{"rust azure_storage_blob", blobOperations}},
	"azcopy": {{"azcopy", []string{"container make", "folder up", "list", "folder down", "compare", "remove"}}},
}

// testStorage runs the clients that have libraries for blobs, each with an account of its own. SDK_STORAGE_TABLE names the file for the table.
func (m *sdkMatrix) testStorage(t *testing.T, built []string) {
	table := testLibraries(t, "storage", built, blobSDKs, m.useStorage)
	table.print(t, os.Getenv("SDK_STORAGE_TABLE"))
}

// useStorage runs a client in a pod that knows its account's URL, and returns what it printed.
func (m *sdkMatrix) useStorage(t *testing.T, name string) []sdkOperation {
	t.Helper()
	account := strings.ReplaceAll(m.home, "-", "") + name
	public := account + "." + azureBlobDomain
	m.create(t, &v1alpha1.StorageAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.home, Name: account},
		Spec:       v1alpha1.StorageAccountSpec{PublicHosts: []v1alpha1.StorageHost{v1alpha1.StorageHost(public)}},
	})
	m.create(t, &v1alpha1.RoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: m.home, Name: account}, Spec: v1alpha1.RoleAssignmentSpec{
		Principal: v1alpha1.AssignedPrincipal{Identity: m.first.Name},
		Role:      v1alpha1.StorageBlobDataContributor,
		Scope:     v1alpha1.AssignmentScope{StorageAccount: account},
	}})
	url := "https://" + account + ".blob." + namespace + ".svc"
	m.awaitStorage(t, m.probe, 404, "ContainerNotFound", url+"/invoices/one")
	pod := m.newStoragePod(t, name, url)
	if slices.Contains(azureHostsOnly, name) {
		m.awaitPublicBlobs(t, account, public)
		pod = m.newStoragePod(t, name, "https://"+public)
		pod.Annotations[v1alpha1.AzureHostsAnnotation] = public
	}
	m.runToEnd(t, pod)
	return readOperations(t, m.logs(t, m.home, pod.Name, "client"))
}

// awaitPublicBlobs waits until an account is served at its host of Azure, for it does not say when.
func (m *sdkMatrix) awaitPublicBlobs(t *testing.T, name, host string) {
	t.Helper()
	pod := m.start(t, newProbePod(m.cluster, m.home, name, "wait").withIdentity(m.first.Name).trustingInstallation().withAzureHosts(host))
	m.awaitStorage(t, pod, 404, "ContainerNotFound", "https://"+host+"/invoices/one")
}

// newStoragePod returns a pod that knows an account's URL.
func (m *sdkMatrix) newStoragePod(t *testing.T, name, url string) *corev1.Pod {
	t.Helper()
	return m.newLibraryPod(t, name, "storage", corev1.EnvVar{Name: "BLOB_URL", Value: url})
}
