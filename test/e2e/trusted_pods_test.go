package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// testTrustedPods has the published SDK read a secret with no setting but the vault's URL: at the vault's own name, and at one of Azure.
func testTrustedPods(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home, home)
	host := home + "." + azureDomain
	c.create(t, &v1alpha1.KeyVault{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: home},
		Spec:       v1alpha1.KeyVaultSpec{PublicHosts: []v1alpha1.VaultHost{v1alpha1.VaultHost(host)}},
	})
	c.assign(t, home, identity.Name, v1alpha1.KeyVaultSecretsOfficer)
	own, public := "https://"+home+"."+vaultDomain, "https://"+host

	trusting := c.start(t, newProbePod(c, home, "trusting", "wait").withIdentity(identity.Name).trustingInstallation().withAzureHosts(host))
	c.awaitSecret(t, trusting, "hello", "--set", "hello", "--vault", own)
	c.awaitSecret(t, trusting, "hello", "--vault", public)

	plain := c.start(t, newProbePod(c, home, "plain", "wait").withIdentity(identity.Name))
	// The SDK's own attempts take some ten seconds.
	_, err := c.exec(t.Context(), plain, "secret", "--timeout", "1m", "--vault", own, "greeting")
	if err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a pod that does not ask: error %v", err)
	}
	denied := newProbePod(c, home, "denied", "wait").withIdentity(identity.Name).withAzureHosts("undeclared." + azureDomain)
	if err := c.Create(t.Context(), denied.Pod); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "add it to spec.publicHosts") {
		t.Errorf("a pod that asks for a host that nobody declares: error %v", err)
	}
}

// awaitSecret waits until the SDK in a pod gets a secret with a value.
func (c *cluster) awaitSecret(t *testing.T, pod *corev1.Pod, value string, flags ...string) {
	t.Helper()
	eventually(t, 2*time.Minute, "the SDK gets the secret", func(ctx context.Context) error {
		got, err := c.exec(ctx, pod, append(append([]string{"secret"}, flags...), "greeting")...)
		if err == nil && got != value {
			err = fmt.Errorf("got %q", got)
		}
		return err
	})
}
