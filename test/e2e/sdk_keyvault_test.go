package e2e

import (
	"os"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

var (
	secretOperations      = []string{"secret set", "secret get", "secret list", "secret delete", "secret recover", "secret purge"}
	keyOperations         = []string{"key create EC", "key sign", "key verify", "key create RSA", "key wrap", "key unwrap"}
	certificateOperations = []string{"certificate create", "certificate get", "certificate secret"}
)

// vaultSDKs maps clients to their libraries for Key Vault.
var vaultSDKs = map[string][]sdkLibrary{
	"go": {{"go azsecrets", secretOperations}, {"go azkeys", keyOperations}, {"go azcertificates", certificateOperations}},
	"python": {{"python azure-keyvault-secrets", secretOperations}, {"python azure-keyvault-keys", keyOperations},
		{"python azure-keyvault-certificates", certificateOperations}},
	"node": {{"js @azure/keyvault-secrets", secretOperations}, {"js @azure/keyvault-keys", keyOperations},
		{"js @azure/keyvault-certificates", certificateOperations}},
	"java": {{"java azure-security-keyvault-secrets", secretOperations}, {"java azure-security-keyvault-keys", keyOperations},
		{"java azure-security-keyvault-certificates", certificateOperations}},
	"rust": {{"rust azure_security_keyvault_secrets", secretOperations}, {"rust azure_security_keyvault_keys", keyOperations},
		{"rust azure_security_keyvault_certificates", certificateOperations}},
	"spring": {{"java spring-cloud-azure-starter-keyvault-secrets", []string{"property"}}},
	"dotnet-mcp": {{"csharp azmcp",
		[]string{"secret set", "secret get", "secret list", "key create EC", "certificate create", "certificate get"}}},
}

// azureHostsOnly holds clients that look for every vault at vault.azure.net, or send tokens to hosts of Azure alone.
var azureHostsOnly = []string{"azcopy", "dotnet-mcp"}

// readOnly holds clients that find the secret greeting in the vault.
var readOnly = []string{"spring"}

// testKeyVault runs the clients that have libraries for Key Vault, each with a vault of its own. SDK_VAULT_TABLE names the file for the table.
func (m *sdkMatrix) testKeyVault(t *testing.T, built []string) {
	table := testLibraries(t, "key vault", built, vaultSDKs, m.useVault)
	table.print(t, os.Getenv("SDK_VAULT_TABLE"))
}

// useVault runs a client in a pod that knows its vault's URL, and returns what it printed.
func (m *sdkMatrix) useVault(t *testing.T, name string) []sdkOperation {
	t.Helper()
	vault := m.home + "-" + name
	public := v1alpha1.VaultHost(vault + "." + azureDomain)
	m.create(t, &v1alpha1.KeyVault{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.home, Name: vault}, Spec: v1alpha1.KeyVaultSpec{PublicHosts: []v1alpha1.VaultHost{public}},
	})
	m.create(t, &v1alpha1.RoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: m.home, Name: vault}, Spec: v1alpha1.RoleAssignmentSpec{
		Principal: v1alpha1.AssignedPrincipal{Identity: m.first.Name}, Role: v1alpha1.KeyVaultAdministrator, Scope: v1alpha1.AssignmentScope{KeyVault: vault},
	}})
	url := "https://" + vault + "." + vaultDomain
	m.awaitVault(t, m.probe, 404, "", url+"/secrets/greeting?api-version=7.6")
	pod := m.newVaultPod(t, name, url)
	if slices.Contains(readOnly, name) {
		m.setSecret(t, newProbePod(m.cluster, m.home, vault, "wait"), url)
	}
	if slices.Contains(azureHostsOnly, name) {
		// A vault does not say when it is served at its host of Azure.
		m.setSecret(t, newProbePod(m.cluster, m.home, vault, "wait").withAzureHosts(string(public)), "https://"+string(public))
		pod = m.newVaultPod(t, name, "https://"+string(public))
		pod.Annotations[v1alpha1.AzureHostsAnnotation] = string(public)
	}
	m.runToEnd(t, pod)
	return readOperations(t, m.logs(t, m.home, pod.Name, "client"))
}

// setSecret sets the secret greeting from a pod, and waits until the vault answers it.
func (m *sdkMatrix) setSecret(t *testing.T, pod probePod, url string) {
	t.Helper()
	m.awaitSecret(t, m.start(t, pod.withIdentity(m.first.Name).trustingInstallation()), "hello", "--set", "hello", "--vault", url)
}

// newVaultPod returns a pod that knows a vault's URL.
func (m *sdkMatrix) newVaultPod(t *testing.T, name, url string) *corev1.Pod {
	t.Helper()
	return m.newLibraryPod(t, name, "vault", corev1.EnvVar{Name: "KEY_VAULT_URL", Value: url})
}
