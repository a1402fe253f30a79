package e2e

import (
	"path"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

const (
	// trustName is the ConfigMap with the authority of the hosts outside, and trustKey its key.
	trustName = "outside"
	trustKey  = "ca.crt"

	// trustFile is where clients find it, and javaTrust the same as a keystore.
	trustFile = "/outside/" + trustKey
	javaTrust = "/tmp/outside.p12"
)

// entraSDK is a client whose libraries have credentials for Entra ID.
type entraSDK struct {
	libraries []string

	// trust is how a user makes them trust an authority.
	trust []corev1.EnvVar
}

var entraSDKs = map[string]entraSDK{
	"go": {[]string{"go azidentity"}, []corev1.EnvVar{{Name: "SSL_CERT_FILE", Value: trustFile}}},
	// Neither transport reads the other one's variable: requests the first, and aiohttp the second.
	"python": {[]string{"python azure-identity", "python azure-identity aio"},
		[]corev1.EnvVar{{Name: "REQUESTS_CA_BUNDLE", Value: trustFile}, {Name: "SSL_CERT_FILE", Value: trustFile}}},
	"node": {[]string{"js @azure/identity"}, []corev1.EnvVar{{Name: "NODE_EXTRA_CA_CERTS", Value: trustFile}}},
	// Without its password, a PKCS #12 keystore has no certificates for Java, and nothing says so.
	"java": {[]string{"java azure-identity"}, []corev1.EnvVar{
		{Name: "JAVA_TOOL_OPTIONS", Value: "-Djavax.net.ssl.trustStore=" + javaTrust + " -Djavax.net.ssl.trustStorePassword=changeit"}}},
}

// newWorkloadIdentityPod returns a pod with a container for each credential, and creates its ServiceAccount: both as on AKS, without a
// word about kube-imds.
// Here login.microsoftonline.com is the stand-in.
func (m *entraMatrix) newWorkloadIdentityPod(t *testing.T, name, account string, cloud entraCloud) *corev1.Pod {
	t.Helper()
	m.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: m.home, Name: account, Annotations: map[string]string{
		"azure.workload.identity/client-id": cloud.clientID,
		"azure.workload.identity/tenant-id": entraTenant,
	}}})
	pod := m.newEntraPod(account)
	pod.Labels = map[string]string{"azure.workload.identity/use": "true"}
	pod.Spec.ServiceAccountName = account
	pod.Spec.HostAliases = []corev1.HostAlias{{IP: m.standIn.service.Spec.ClusterIP, Hostnames: []string{publicAuthority}}}
	for _, mode := range entraModes {
		m.addClient(t, pod, name, mode.argument, mode.argument)
	}
	return pod
}

// newIMDSPod returns a pod with a container for each credential that asks IMDS.
func (m *entraMatrix) newIMDSPod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	status := m.identity.Status
	pod := m.newEntraPod(name + "-imds")
	pod.Annotations = map[string]string{v1alpha1.IdentityAnnotation: m.identity.Name}
	for _, mode := range imdsModes {
		m.addClient(t, pod, name, mode.container, mode.argument)
	}
	for i := range pod.Spec.Containers {
		container := &pod.Spec.Containers[i]
		container.Env = append(container.Env, corev1.EnvVar{Name: "CLIENT_ID", Value: string(status.ClientID)},
			corev1.EnvVar{Name: "OBJECT_ID", Value: string(status.PrincipalID)}, corev1.EnvVar{Name: "RESOURCE_ID", Value: status.ResourceID})
	}
	return pod
}

// newEntraPod returns a pod without containers.
func (m *entraMatrix) newEntraPod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.home, Name: name},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			NodeSelector:  map[string]string{corev1.LabelHostname: m.nodes[0]},
			Volumes: []corev1.Volume{
				{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: trustName, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: trustName}}}},
			},
		},
	}
}

// addClient adds a container that runs a client with an argument, and trusts the hosts outside.
func (m *entraMatrix) addClient(t *testing.T, pod *corev1.Pod, name, containerName, argument string) {
	t.Helper()
	container := corev1.Container{
		Name: containerName, Image: "kube-imds/sdk-" + name + ":" + m.version, Command: entrypoint(t, name), Args: []string{argument},
		Env:             append([]corev1.EnvVar{{Name: "HOME", Value: "/tmp"}, {Name: "RESOURCES", Value: vault}}, entraSDKs[name].trust...),
		SecurityContext: restricted(),
		VolumeMounts:    []corev1.VolumeMount{{Name: "scratch", MountPath: "/tmp"}, {Name: trustName, MountPath: path.Dir(trustFile), ReadOnly: true}},
	}
	if name == "java" && len(pod.Spec.InitContainers) == 0 {
		keytool := container
		keytool.Name, keytool.Env = "trust", nil
		keytool.Command = []string{"/usr/bin/keytool", "-importcert", "-noprompt", "-alias", "outside"}
		keytool.Args = []string{"-file", trustFile, "-keystore", javaTrust, "-storepass", "changeit"}
		pod.Spec.InitContainers = []corev1.Container{keytool}
	}
	pod.Spec.Containers = append(pod.Spec.Containers, container)
}

// everybodyReadsIssuer lets everybody read the public files of the cluster's issuer, which otherwise only ServiceAccounts may.
func everybodyReadsIssuer() *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "e2e-issuer-is-public"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:service-account-issuer-discovery"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:unauthenticated"}},
	}
}

// clusterCA returns the authority of the API server, which serves the public files of the cluster's issuer.
func (c *cluster) clusterCA(t *testing.T) []byte {
	t.Helper()
	var bundle corev1.ConfigMap
	must(t, c.Get(t.Context(), client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "kube-root-ca.crt"}, &bundle), "read the CA of the API server")
	return []byte(bundle.Data["ca.crt"])
}
