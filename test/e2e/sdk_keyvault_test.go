package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// vaultSDK is a library for Key Vault, and the operations that a client must do with it, in order.
type vaultSDK struct {
	client     string
	operations []string
}

var (
	secretOperations      = []string{"secret set", "secret get", "secret list", "secret delete", "secret recover", "secret purge"}
	keyOperations         = []string{"key create EC", "key sign", "key verify", "key create RSA", "key wrap", "key unwrap"}
	certificateOperations = []string{"certificate create", "certificate get", "certificate secret"}
)

// vaultSDKs maps clients to their libraries for Key Vault.
var vaultSDKs = map[string][]vaultSDK{
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

// azureHostsOnly holds clients that look for every vault at vault.azure.net.
var azureHostsOnly = []string{"dotnet-mcp"}

// readOnly holds clients that find the secret greeting in the vault.
var readOnly = []string{"spring"}

// vaultOperation is a client's report of one operation.
type vaultOperation struct {
	Client, Version, Operation, Error string
	Milliseconds                      float64
}

// testKeyVault runs the clients that have libraries for Key Vault, each with a vault of its own. They run beside each other, because no time of
// theirs is compared.
func (m *sdkMatrix) testKeyVault(t *testing.T, built []string) {
	var table vaultTable
	used := slices.DeleteFunc(slices.Clone(built), func(name string) bool { return len(vaultSDKs[name]) == 0 })
	printed := make([][]vaultOperation, len(used))
	t.Run("key vault", func(t *testing.T) {
		for i, name := range used {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				printed[i] = m.useVault(t, name)
				checkOperations(t, name, printed[i])
			})
		}
	})
	for i, name := range used {
		for _, sdk := range vaultSDKs[name] {
			table.add(sdk, printed[i])
		}
	}
	table.print(t)
}

// useVault runs a client in a pod that knows its vault's URL, and returns what it printed.
func (m *sdkMatrix) useVault(t *testing.T, name string) []vaultOperation {
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

// newVaultPod returns a pod as a user writes it: with an image, two annotations and a vault's URL.
func (m *sdkMatrix) newVaultPod(t *testing.T, name, url string) *corev1.Pod {
	t.Helper()
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.home, Name: name + "-vault", Annotations: map[string]string{
			v1alpha1.IdentityAnnotation: m.first.Name,
			v1alpha1.TrustAnnotation:    "true",
		}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			NodeSelector:  map[string]string{corev1.LabelHostname: m.nodes[1]},
			Volumes:       []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
			Containers: []corev1.Container{{
				Name: "client", Image: "kube-imds/sdk-" + name + ":" + m.version, Command: entrypoint(t, name), Args: []string{"vault"},
				Env:             []corev1.EnvVar{{Name: "KEY_VAULT_URL", Value: url}},
				SecurityContext: restricted(), VolumeMounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/tmp"}},
			}},
		},
	}
}

// readOperations parses a client's output.
func readOperations(t *testing.T, printed string) []vaultOperation {
	t.Helper()
	var operations []vaultOperation
	for line := range strings.Lines(printed) {
		var read vaultOperation
		if json.Unmarshal([]byte(line), &read) == nil && read.Operation != "" {
			operations = append(operations, read)
		}
	}
	if len(operations) == 0 {
		t.Fatalf("the client printed no operations: %s", printed)
	}
	return operations
}

// checkOperations compares a client's operations with the table. Each must have succeeded.
func checkOperations(t *testing.T, name string, printed []vaultOperation) {
	t.Helper()
	var want, got []string
	for _, sdk := range vaultSDKs[name] {
		for _, operation := range sdk.operations {
			want = append(want, sdk.client+": "+operation)
		}
	}
	for _, one := range printed {
		got = append(got, one.Client+": "+one.Operation)
		if one.Error != "" {
			t.Errorf("%s: %s: %s", one.Client, one.Operation, one.Error)
		}
	}
	if !slices.Equal(want, got) {
		t.Errorf("operations:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// vaultTable has a line for each library.
type vaultTable struct{ lines []string }

func (v *vaultTable) add(sdk vaultSDK, printed []vaultOperation) {
	var version string
	var done []string
	for _, one := range printed {
		if one.Client != sdk.client {
			continue
		}
		version = one.Version
		if one.Error == "" {
			done = append(done, fmt.Sprintf("%s %.0f ms", one.Operation, one.Milliseconds))
		}
	}
	v.lines = append(v.lines, fmt.Sprintf("%s\t%s\t%d/%d\t%s", sdk.client, version, len(done), len(sdk.operations), strings.Join(done, ", ")))
}

// print prints the table, and writes it to the file that SDK_VAULT_TABLE names.
func (v *vaultTable) print(t *testing.T) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LIBRARY\tVERSION\tOPERATIONS\tEACH")
	for _, line := range v.lines {
		fmt.Fprintln(table, line)
	}
	must(t, table.Flush(), "print the table")
	t.Log("\n" + text.String())
	if path := os.Getenv("SDK_VAULT_TABLE"); path != "" {
		must(t, os.WriteFile(path, []byte(text.String()), 0o644), "write the table")
	}
}
