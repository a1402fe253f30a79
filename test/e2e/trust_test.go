package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	trustConfigMap = "kube-imds-trust"

	// trustTime bounds the time until a pod trusts another authority: the kubelet updates the volume within some 90 seconds, and
	// servers get their certificates meanwhile.
	trustTime = 3 * time.Minute
)

// testAuthorityCleared replaces the authority while a pod runs: its cached token is served all the time, and it gets
// new tokens without being recreated.
func testAuthorityCleared(t *testing.T, c *cluster) {
	pod, _ := c.startOutliving(t, "outlives-authority")
	before := c.authorities(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kube-imds-ca"}}
	must(t, c.Patch(t.Context(), secret, client.RawPatch("application/merge-patch+json", []byte(`{"data":null}`))), "clear the authority")
	eventually(t, time.Minute, "there is another authority", func(context.Context) error {
		if now := c.authorities(t); now == before || now == "" {
			return fmt.Errorf("authorities = %q", now)
		}
		return nil
	})
	c.awaitTrust(t, pod, func() {
		cached, err := c.askIMDS(t.Context(), pod, "https://cached.example")
		must(t, err, "request the cached token")
		if cached.Status != 200 {
			t.Errorf("the cached token is not served while the authority changes: %+v", cached)
		}
	})
	eventually(t, time.Minute, "the pod's containers trust the new authority", func(ctx context.Context) error {
		a, err := c.get(ctx, pod, oidcURL+"/")
		if err == nil && a.Error != "" {
			err = errors.New(a.Error)
		}
		return err
	})
}

// testReinstalled uninstalls the chart while a pod runs and installs it again, with other keys and another authority.
func testReinstalled(t *testing.T, c *cluster) {
	pod, identity := c.startOutliving(t, "outlives-installation")
	c.helm(t, "uninstall", release, "--namespace", namespace, "--wait")
	eventually(t, time.Minute, "the trust bundles are deleted", func(ctx context.Context) error {
		var configs corev1.ConfigMapList
		err := c.List(ctx, &configs, client.MatchingFields{"metadata.name": trustConfigMap})
		if err == nil && len(configs.Items) > 0 {
			err = fmt.Errorf("got %d ConfigMaps %s", len(configs.Items), trustConfigMap)
		}
		return err
	})
	c.installChart(t)
	c.identity(t, identity, pod.Namespace)
	c.awaitTrust(t, pod, func() {})
}

// startOutliving starts a pod that outlives the change, and gets it a token for https://cached.example. It returns
// its identity's name too.
func (c *cluster) startOutliving(t *testing.T, name string) (*corev1.Pod, string) {
	t.Helper()
	home := c.namespace(t)
	identity := c.identity(t, home+"-"+name, home)
	pod := c.start(t, newProbePod(c, home, name, "wait").withIdentity(identity.Name).trustingInstallation())
	c.granted(t, pod, "https://cached.example")
	return pod, identity.Name
}

// awaitTrust waits until an existing pod trusts the new authority and gets a new token. Meanwhile it
// runs a check.
func (c *cluster) awaitTrust(t *testing.T, pod *corev1.Pod, meanwhile func()) {
	t.Helper()
	began := time.Now()
	eventually(t, trustTime, "the pod is given new tokens", func(ctx context.Context) error {
		meanwhile()
		if !strings.Contains(c.logs(t, pod.Namespace, pod.Name, "kube-imds"), "the issuer's authorities are others than before") {
			return fmt.Errorf("the sidecar still trusts the former authority")
		}
		a, err := c.askIMDS(ctx, pod, fmt.Sprintf("https://fresh-%d.example", time.Now().UnixNano()))
		if err == nil && a.Status != 200 {
			err = fmt.Errorf("got %+v", a)
		}
		return err
	})
	t.Logf("the pod got new tokens after %s", time.Since(began).Round(time.Second))
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(pod), pod), "read the pod")
	for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if status.RestartCount > 0 {
			t.Errorf("the pod was disturbed: %s", containerStates(pod))
		}
	}
}
