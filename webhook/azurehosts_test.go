package webhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

const (
	ordersHost   = "orders.vault.azure.net"
	paymentsHost = "payments.vault.azure.cn"
	waitingHost  = "waiting.vault.azure.net"
	lateHost     = "late.vault.azure.net"

	blobHost     = "orders.blob.core.windows.net"
	lateBlobHost = "late.blob.core.windows.net"

	vaultAddress, storageAddress = "10.96.0.7", "10.96.0.8"
)

// newHostsMutator returns a mutator of an installation with vaults and a storage account of the namespaces shop and bank. Some of shop were
// created just now.
func newHostsMutator(t testing.TB) *mutator {
	t.Helper()
	vault := func(namespace, name string, host v1alpha1.VaultHost, held ...v1alpha1.VaultHost) client.Object {
		return &v1alpha1.KeyVault{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       v1alpha1.KeyVaultSpec{PublicHosts: []v1alpha1.VaultHost{host}}, Status: v1alpha1.KeyVaultStatus{PublicHosts: held},
		}
	}
	waiting := vault("shop", "waiting", waitingHost).(*v1alpha1.KeyVault)
	waiting.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionPublicHosts, Message: "the reason"}}
	federated := build.NewIdentity("federated").Admitting("shop", "*").Ready()
	federated.Spec.TokenSource = v1alpha1.TokenSourceEntra
	account := func(name string, host v1alpha1.StorageHost) *v1alpha1.StorageAccount {
		return &v1alpha1.StorageAccount{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.StorageAccountSpec{PublicHosts: []v1alpha1.StorageHost{host}},
		}
	}
	orders := account("orders", blobHost)
	orders.Status.PublicHosts = orders.Spec.PublicHosts
	m := newMutator(t, append(shop(), federated, orders, vault("shop", "orders", ordersHost, ordersHost), vault("bank", "payments", paymentsHost, paymentsHost), waiting)...)
	service := func(kind *azurehost.Kind, addresses ...string) client.Object {
		named := metav1.ObjectMeta{Namespace: "kube-imds-system", Name: "kube-imds-" + string(kind.Part)}
		if m.options.AzureServices == nil {
			m.options.AzureServices = map[*azurehost.Kind]client.ObjectKey{}
		}
		m.options.AzureServices[kind] = client.ObjectKey{Namespace: named.Namespace, Name: named.Name}
		return &corev1.Service{ObjectMeta: named, Spec: corev1.ServiceSpec{ClusterIPs: addresses}}
	}
	m.lookup.live = reader(t, vault("shop", "late", lateHost), vault("bank", "late", "other.vault.azure.net"), account("late", lateBlobHost),
		service(azurehost.KeyVaults, vaultAddress, "fd00::7"), service(azurehost.StorageAccounts, storageAddress))
	return m
}

// asking asks for hosts, and trusts the installation's authority.
func asking(hosts string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		trusting(pod)
		pod.Annotations[v1alpha1.AzureHostsAnnotation] = hosts
	}
}

func withAlias(address string, hosts ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.HostAliases = append(pod.Spec.HostAliases, corev1.HostAlias{IP: address, Hostnames: hosts})
	}
}

func TestHostAliases(t *testing.T) {
	t.Parallel()
	m := newHostsMutator(t)
	both := func(hosts ...string) []corev1.HostAlias {
		return []corev1.HostAlias{{IP: vaultAddress, Hostnames: hosts}, {IP: "fd00::7", Hostnames: hosts}}
	}
	for name, test := range map[string]struct {
		pod      *corev1.Pod
		want     []corev1.HostAlias
		warnings []string
	}{
		"none asked":   {newPod("orders", asking(" , ")), nil, nil},
		"one":          {newPod("orders", asking(ordersHost)), both(ordersHost), nil},
		"in capitals":  {newPod("orders", asking("ORDERS.vault.azure.net , orders.vault.azure.net")), both(ordersHost), nil},
		"two":          {newPod("orders", asking(ordersHost+", "+paymentsHost)), both(ordersHost, paymentsHost), []string{otherNamespace}},
		"a blob":       {newPod("orders", asking(blobHost)), []corev1.HostAlias{{IP: storageAddress, Hostnames: []string{blobHost}}}, nil},
		"of two kinds": {newPod("orders", asking(blobHost+","+ordersHost)), append(both(ordersHost), corev1.HostAlias{IP: storageAddress, Hostnames: []string{blobHost}}), nil},
		"its own for one of two kinds": {newPod("orders", asking(blobHost+","+ordersHost), withAlias("10.0.0.1", blobHost)),
			append([]corev1.HostAlias{{IP: "10.0.0.1", Hostnames: []string{blobHost}}}, both(ordersHost)...),
			[]string{"kube-imds: the pod's own hostAliases lead from orders.blob.core.windows.net to 10.0.0.1, and stay as they are"}},
		"a blob created late": {newPod("orders", asking(lateBlobHost)), []corev1.HostAlias{{IP: storageAddress, Hostnames: []string{lateBlobHost}}},
			[]string{"kube-imds: no StorageAccount answers to late.blob.core.windows.net yet: the controller has not seen it"}},
		"created late": {newPod("orders", asking(lateHost)), both(lateHost), []string{"kube-imds: no KeyVault answers to late.vault.azure.net yet: the controller has not seen it"}},
		"not held":     {newPod("orders", asking(waitingHost)), both(waitingHost), []string{"kube-imds: no KeyVault answers to waiting.vault.azure.net yet: the reason"}},
		"its own": {newPod("orders", asking(ordersHost+","+waitingHost), withAlias("10.0.0.1", "x", ordersHost)),
			append([]corev1.HostAlias{{IP: "10.0.0.1", Hostnames: []string{"x", ordersHost}}}, both(waitingHost)...),
			[]string{"kube-imds: no KeyVault answers to waiting.vault.azure.net yet: the reason",
				"kube-imds: the pod's own hostAliases lead from orders.vault.azure.net to 10.0.0.1, and stay as they are"}},
		"its own for the address": {newPod("orders", asking(ordersHost), withAlias(vaultAddress, "x")),
			[]corev1.HostAlias{{IP: vaultAddress, Hostnames: []string{"x", ordersHost}}, {IP: "fd00::7", Hostnames: []string{ordersHost}}}, nil},
		"an identity of Entra ID": {newPod("federated", asking(ordersHost)), both(ordersHost),
			[]string{"kube-imds: tokens of federated are Entra ID's: the vaults and storage accounts of this cluster do not accept them, and what the pod sends there opens those in Azure"}},
		"without trust": {newPod("orders", annotated(v1alpha1.AzureHostsAnnotation, ordersHost)), both(ordersHost),
			[]string{`kube-imds: the certificate of these hosts is of the installation's authority, which containers trust with the annotation kube-imds.io/trust-ca: "true"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := admit(t, m, test.pod)
			if !response.Allowed {
				t.Fatalf("pod is denied: %v", response.Result)
			}
			if diff := cmp.Diff(test.warnings, slices.Clone(response.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			pod := injectedPod(t, m, test.pod)
			if diff := cmp.Diff(test.want, pod.Spec.HostAliases); diff != "" {
				t.Errorf("hostAliases (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(text(t, pod), text(t, injectedPod(t, m, pod))); diff != "" {
				t.Errorf("the second run (-first +second):\n%s", diff)
			}
			if diff := cmp.Diff(test.warnings, slices.Clone(admit(t, m, pod).Warnings)); diff != "" {
				t.Errorf("warnings of the second admission (-want +got):\n%s", diff)
			}
		})
	}
}

const otherNamespace = "kube-imds: payments.vault.azure.cn is KeyVault payments of another namespace, bank: whoever administers that sees what is sent there"

// A proxy would know nothing of the pod's hostAliases.
func TestHostsAreNotSentToAProxy(t *testing.T) {
	t.Parallel()
	pod := injectedPod(t, newHostsMutator(t), newPod("orders", asking(ordersHost+","+blobHost), withVariables("HTTPS_PROXY", "http://proxy", "NO_PROXY", "localhost")))
	for _, variable := range pod.Spec.Containers[0].Env {
		if variable.Name == "NO_PROXY" && variable.Value != "localhost,169.254.169.254,"+ordersHost+","+blobHost {
			t.Errorf("NO_PROXY = %s", variable.Value)
		}
	}
}

func TestHostsThatAreDenied(t *testing.T) {
	t.Parallel()
	m, onlyVaults, without := newHostsMutator(t), newHostsMutator(t), newMutator(t, shop()...)
	delete(onlyVaults.options.AzureServices, azurehost.StorageAccounts)
	var many []string
	for n := range maxAzureHosts + 1 {
		many = append(many, fmt.Sprintf("host-%d.vault.azure.net", n))
	}
	for name, test := range map[string]struct {
		m     *mutator
		hosts string
		want  string
	}{
		"declared by nobody": {m, ordersHost + ",other.vault.azure.net", `kube-imds: the pod asks for the host "other.vault.azure.net", which no KeyVault declares: ` +
			`add it to spec.publicHosts of one, or remove it from the annotation kube-imds.io/azure-hosts`},
		"a blob of nobody": {m, "other.blob.core.windows.net", `kube-imds: the pod asks for the host "other.blob.core.windows.net", which no StorageAccount declares: ` +
			`add it to spec.publicHosts of one, or remove it from the annotation kube-imds.io/azure-hosts`},
		"no host": {m, "a b", `kube-imds: the pod asks for the host "a b", which is none that a KeyVault or a StorageAccount may have: ` +
			`remove it from the annotation kube-imds.io/azure-hosts`},
		"of another service": {m, ordersHost + ",orders.dfs.core.windows.net", `kube-imds: the pod asks for the host "orders.dfs.core.windows.net", ` +
			`which is none that a KeyVault or a StorageAccount may have: remove it from the annotation kube-imds.io/azure-hosts`},
		"too many": {m, strings.Join(many, ","), "kube-imds: the annotation kube-imds.io/azure-hosts has more than 16 host names"},
		"no vaults": {without, ordersHost, "kube-imds: the annotation kube-imds.io/azure-hosts asks for hosts of vaults, and this installation serves none: " +
			"install kube-imds with keyVault.enabled=true and keyVault.publicHosts, or remove the annotation"},
		"no accounts": {onlyVaults, blobHost, "kube-imds: the annotation kube-imds.io/azure-hosts asks for hosts of storage accounts, and this installation serves none: " +
			"install kube-imds with storage.enabled=true and storage.publicHosts, or remove the annotation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkDenied(t, test.m, newPod("orders", asking(test.hosts)), test.want)
		})
	}
}
