package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/federation"
	"github.com/kube-imds/kube-imds/internal/federation/installation"
	"github.com/kube-imds/kube-imds/test/entra"
)

// The hosts outside the cluster: the website with the public files, and Entra ID.
const (
	websiteNamespace = "e2e-website"
	entraNamespace   = "e2e-entra"
	website          = "https://outside." + websiteNamespace + ".svc"
	authority        = "https://outside." + entraNamespace + ".svc"

	// publicAuthority is the public cloud's, which leads to the stand-in where a pod's hostAliases say so.
	publicAuthority = "login.microsoftonline.com"

	entraTenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	entraClient = "5f0d1d8c-0000-4000-8000-0000000000a1"
	vault       = "https://vault.azure.net"
)

// testEntraIssuesTokens runs pods of three ServiceAccounts in two namespaces with one identity of Entra ID, which has one
// federated credential. Each gets tokens with the Azure SDK; a fourth ServiceAccount, which is not admitted, gets none.
func testEntraIssuesTokens(t *testing.T, c *cluster) {
	first, second := c.namespace(t), c.namespace(t)
	identity := c.entraIdentity(t, first, second)
	c.startWebsite(t)
	c.startEntra(t, entra.Identity{
		TenantID: entraTenant, ClientID: entraClient, ObjectID: "object",
		Credentials: []entra.Credential{{Issuer: website, Subject: "kube-imds:identity:" + identity.Name, Audience: "api://AzureADTokenExchange"}},
	})
	pods := map[string]*corev1.Pod{}
	for n, one := range []struct{ namespace, account string }{{first, "orders"}, {first, "bills"}, {second, "stock"}} {
		pod := c.podOfAccount(t, one.namespace, one.account, identity.Name).onNode(c.nodes[n%2]).trusting(string(c.outside.pem) + c.authorities(t))
		pods[one.account] = c.start(t, pod)
	}
	for account, pod := range pods {
		c.awaitStatus(t, pod, http.StatusOK)
		claims := claimsOf(t, c.token(t, pod, vault))
		if claims["appid"] != entraClient || claims["iss"] != "https://sts.windows.net/"+entraTenant+"/" {
			t.Errorf("%s: claims = %v", account, claims)
		}
	}
	eventually(t, time.Minute, "the identity is ready", func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(identity), identity); err != nil {
			return err
		}
		return conditionIsTrue(identity.Status.Conditions, v1alpha1.ConditionReady)
	})

	asked, err := c.get(t.Context(), pods["orders"], authority+"/asked/"+entraClient+"?resource="+vault)
	must(t, err, "ask for the number of exchanges")
	if count, err := strconv.Atoi(strings.TrimSpace(asked.Body)); err != nil || count < 1 || count > len(c.nodes) {
		t.Errorf("Entra ID was asked %q times, want once a node", asked.Body)
	}

	stranger := c.podOfAccount(t, second, "stranger", identity.Name)
	if err := c.Create(t.Context(), stranger.Pod); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "does not admit") {
		t.Errorf("a pod that is not admitted: %v", err)
	}
	t.Run("CompletedPodGetsNothing", func(t *testing.T) { testCompletedPodGetsNothing(t, c, identity, pods["orders"]) })
	t.Run("StolenIssuerGetsNoAssertion", func(t *testing.T) { testStolenIssuerGetsNoAssertion(t, c, identity, pods["orders"]) })

	before := client.MergeFrom(identity.DeepCopy())
	identity.Spec.AssumableBy = identity.Spec.AssumableBy[:1]
	must(t, c.Patch(t.Context(), identity, before), "withdraw a grant")
	c.awaitStatus(t, pods["stock"], http.StatusBadRequest)
	c.awaitStatus(t, pods["orders"], http.StatusOK)
}

// entraIdentity creates an identity of Entra ID that admits two ServiceAccounts of the first namespace and one of the second.
func (c *cluster) entraIdentity(t *testing.T, first, second string) *v1alpha1.ManagedIdentity {
	t.Helper()
	identity := &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: first + "-entra"}, Spec: v1alpha1.ManagedIdentitySpec{
		TokenSource: v1alpha1.TokenSourceEntra, TenantID: entraTenant, ClientID: entraClient, Entra: &v1alpha1.EntraSettings{Authority: authority},
		AssumableBy: []v1alpha1.Admission{
			{Namespaces: []string{first}, ServiceAccounts: []string{"orders", "bills"}},
			{Namespaces: []string{second}, ServiceAccounts: []string{"stock"}},
		},
	}}
	c.createResolved(t, identity)
	return identity
}

// createResolved creates an identity, and waits until it has its IDs.
func (c *cluster) createResolved(t *testing.T, identity *v1alpha1.ManagedIdentity) {
	t.Helper()
	c.create(t, identity)
	eventually(t, time.Minute, "the identity is resolved", func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(identity), identity); err != nil {
			return err
		}
		if identity.Status.ClientID == "" {
			return fmt.Errorf("status = %+v", identity.Status)
		}
		return nil
	})
}

// podOfAccount returns a pod of a ServiceAccount, which it creates.
func (c *cluster) podOfAccount(t *testing.T, namespace, account, identity string) probePod {
	t.Helper()
	c.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}})
	pod := newProbePod(c, namespace, account, "wait").withIdentity(identity)
	pod.Spec.ServiceAccountName = account
	return pod
}

// awaitStatus waits until a request for a token gets a status.
func (c *cluster) awaitStatus(t *testing.T, pod *corev1.Pod, status int) {
	t.Helper()
	eventually(t, 2*time.Minute, fmt.Sprintf("pod %s gets %d", pod.Name, status), func(ctx context.Context) error {
		got, err := c.askIMDS(ctx, pod, vault)
		if err == nil && got.Status != status {
			err = fmt.Errorf("got %d %s", got.Status, got.Body)
		}
		return err
	})
}

// startWebsite publishes the files of the federation issuer.
func (c *cluster) startWebsite(t *testing.T) startedHost {
	t.Helper()
	var found *installation.Installation
	eventually(t, time.Minute, "the signer has made its federation keys", func(ctx context.Context) error {
		var err error
		found, err = installation.Find(ctx, c.Client, namespace)
		return err
	})
	discovery, err := found.Issuer.Discovery()
	must(t, err, "render the discovery document")
	return c.startOutside(t, outsideHost{
		namespace: websiteNamespace, data: map[string][]byte{"discovery": discovery, "keys": found.JWKS},
		files: []corev1.KeyToPath{
			{Key: "discovery", Path: strings.TrimPrefix(federation.DiscoveryPath, "/")}, {Key: "keys", Path: strings.TrimPrefix(federation.KeysPath, "/")},
		},
		arguments: []string{"-public", "/data"},
	})
}

// startEntra starts the stand-in for Entra ID.
func (c *cluster) startEntra(t *testing.T, identities ...entra.Identity) startedHost {
	t.Helper()
	return c.startEntraWith(t, []string{vault}, identities...)
}

// startEntraWith starts it with other resources.
func (c *cluster) startEntraWith(t *testing.T, resources []string, identities ...entra.Identity) startedHost {
	t.Helper()
	config, err := json.Marshal(map[string]any{
		"identities": identities, "resources": resources, "hosts": []string{strings.TrimPrefix(authority, "https://")},
	})
	must(t, err, "render the configuration of Entra ID")
	return c.startOutside(t, outsideHost{
		namespace: entraNamespace, names: []string{publicAuthority}, data: map[string][]byte{"config": config},
		files: []corev1.KeyToPath{{Key: "config", Path: "config.json"}}, arguments: []string{"-config", "/data/config.json"},
	})
}

// outsideHost is a host outside the cluster.
type outsideHost struct {
	namespace string

	// names are those of its certificate beside its Service's.
	names []string

	// data is at /data, as files.
	data      map[string][]byte
	files     []corev1.KeyToPath
	arguments []string
}

// startedHost is a host that runs, in a namespace of its own.
type startedHost struct {
	service *corev1.Service
	pod     *corev1.Pod
}

// startOutside starts a host outside the cluster. It trusts the tests' authority and the cluster's.
func (c *cluster) startOutside(t *testing.T, host outsideHost) startedHost {
	t.Helper()
	const name = "outside"
	namespace := host.namespace
	c.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}}
	c.create(t, &corev1.Secret{ObjectMeta: meta, Data: host.data})
	certificates := meta
	certificates.Name = "tls"
	issued := c.outside.issue(t, append(host.names, name+"."+namespace+".svc")...)
	issued["ca.crt"] = append(issued["ca.crt"], c.clusterCA(t)...)
	c.create(t, &corev1.Secret{ObjectMeta: certificates, Data: issued})
	service := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Selector: meta.Labels, Ports: []corev1.ServicePort{{Port: 443, TargetPort: intstr.FromInt32(8443)}},
	}}
	c.create(t, service)
	pod := newProbePod(c, namespace, name, host.arguments...)
	pod.Labels = meta.Labels
	pod.Spec.Volumes = []corev1.Volume{
		{Name: "data", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name, Items: host.files}}},
		{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "tls"}}},
	}
	container := &pod.Spec.Containers[0]
	container.Image = "kube-imds/entra:" + c.version
	container.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data", ReadOnly: true}, {Name: "tls", MountPath: "/tls", ReadOnly: true}}
	container.ReadinessProbe = &corev1.Probe{
		PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8443)}},
	}
	return startedHost{service, c.start(t, pod)}
}
