package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

const (
	// endpointSDK is the client of the only SDK that takes an authority by its URL alone.
	endpointSDK = "python"

	endpointClient = "5f0d1d8c-0000-4000-8000-0000000000b4"
)

// testTokenEndpoint runs a client in a pod with a manifest for AKS whose identity has tokens of this cluster. WorkloadIdentityCredential gets
// them from the issuer, as it would from Entra ID, with the variables that the webhook adds and no others.
func (m *entraMatrix) testTokenEndpoint(t *testing.T) {
	const account = "local"
	identity := &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: m.home + "-local"}, Spec: v1alpha1.ManagedIdentitySpec{
		ClientID: endpointClient, AssumableBy: []v1alpha1.Admission{{Namespaces: []string{m.home}, ServiceAccounts: []string{account}}},
	}}
	m.createResolved(t, identity)
	m.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: m.home, Name: account, Annotations: map[string]string{"azure.workload.identity/client-id": endpointClient},
	}})
	pod := m.newEntraPod("token-endpoint")
	pod.Labels = map[string]string{"azure.workload.identity/use": "true"}
	pod.Annotations = map[string]string{v1alpha1.TokenEndpointAnnotation: "true"}
	pod.Spec.ServiceAccountName = account
	for _, mode := range entraModes {
		m.addClient(t, pod, endpointSDK, mode.argument, mode.argument)
	}
	for i := range pod.Spec.Containers {
		pod.Spec.Containers[i].Env = []corev1.EnvVar{{Name: "HOME", Value: "/tmp"}, {Name: "RESOURCES", Value: vault}}
	}
	m.runToEnd(t, pod)
	for _, mode := range entraModes {
		attempts := readPrinted(t, m.logs(t, m.home, pod.Name, mode.argument)).Attempts
		wantAttempts(t, attempts, wanted(entraSDKs[endpointSDK].libraries, mode.credential, defaultOnly))
		for _, attempt := range attempts {
			if attempt.Token == "" {
				t.Errorf("%s: %s", attempt, attempt.Error)
				continue
			}
			checkClaims(t, m.verify(t, m.oidcProbe, attempt.Token), identity, vault)
		}
		m.addRows(attempts, "the node's issuer")
	}
}
