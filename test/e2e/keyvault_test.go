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

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// testKeyVaultHoldsSecrets takes the way of an application: IMDS, a token, the vault by its name, a secret.
func testKeyVaultHoldsSecrets(t *testing.T, c *cluster) {
	home := c.namespace(t)
	writer, reader := c.identity(t, home+"-writer", home), c.identity(t, home+"-reader", home)
	c.create(t, &v1alpha1.KeyVault{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: home}})
	c.assign(t, home, writer.Name, v1alpha1.KeyVaultSecretsOfficer)
	c.assign(t, home, reader.Name, v1alpha1.KeyVaultSecretsUser)
	writes := c.start(t, newProbePod(c, home, "writes", "wait").withIdentity(writer.Name).onNode(c.nodes[0]).trustingInstallation())
	reads := c.start(t, newProbePod(c, home, "reads", "wait").withIdentity(reader.Name).onNode(c.nodes[1]).trustingInstallation())

	secret := "https://" + home + "." + vaultDomain + "/secrets/greeting?api-version=7.6"
	unauthenticated, err := c.get(t.Context(), writes, secret)
	must(t, err, "ask the vault without a token")
	if challenge := unauthenticated.Headers.Get("WWW-Authenticate"); unauthenticated.Status != http.StatusUnauthorized || !strings.Contains(challenge, `resource="https://`+vaultDomain+`"`) {
		t.Errorf("without a token: got %d, challenge %s", unauthenticated.Status, challenge)
	}
	c.awaitVault(t, writes, http.StatusOK, "hello", "--method", "PUT", "--body", `{"value":"hello"}`, secret)
	c.awaitVault(t, reads, http.StatusOK, "hello", secret)
	c.awaitVault(t, reads, http.StatusForbidden, "", "--method", "PUT", "--body", `{"value":"bye"}`, secret)

	var kept corev1.SecretList
	must(t, c.List(t.Context(), &kept), "list the Secrets")
	for _, one := range kept.Items {
		if one.Labels["app.kubernetes.io/component"] == "keyvault" && one.Namespace != namespace+"-vaults" {
			t.Errorf("Secret %s/%s is not in the vaults' own namespace", one.Namespace, one.Name)
		}
	}
}

// azureDomain is what the vaults' public hosts end in.
const azureDomain = "vault.azure.net"

// vaultDomain is what the vaults' host names end in.
const vaultDomain = "vault." + namespace + ".svc"

// assign gives an identity a role at the vault of a namespace.
func (c *cluster) assign(t *testing.T, home, identity string, role v1alpha1.RoleName) {
	t.Helper()
	c.create(t, &v1alpha1.RoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: identity}, Spec: v1alpha1.RoleAssignmentSpec{
		Principal: v1alpha1.AssignedPrincipal{Identity: identity}, Role: role, Scope: v1alpha1.AssignmentScope{KeyVault: home},
	}})
}

// awaitVault waits until the vault answers a pod's request with a status. What it returns of a secret must have the value.
func (c *cluster) awaitVault(t *testing.T, pod *corev1.Pod, status int, value string, arguments ...string) {
	t.Helper()
	token := c.token(t, pod, "https://"+vaultDomain)
	eventually(t, time.Minute, fmt.Sprintf("the vault answers %s with %d", pod.Name, status), func(ctx context.Context) error {
		got, err := c.get(ctx, pod, append([]string{"--bearer", token}, arguments...)...)
		if err == nil && (got.Status != status || value != "" && !strings.Contains(got.Body, `"value":"`+value+`"`)) {
			err = fmt.Errorf("got %d %s %s", got.Status, got.Body, got.Error)
		}
		return err
	})
}
