package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// The External Secrets Operator: its release and image, its module, and the folder that pins and builds it.
const (
	operator       = "external-secrets"
	operatorModule = "github.com/external-secrets/external-secrets"
	operatorPath   = "../apps/external-secrets"
)

// TestExternalSecretsOperator runs the operator by its own chart, with kube-imds' annotations: Secrets have what a vault has, by both of its SDKs
// for Azure. The older one asks for tokens for vault.azure.net alone, whatever a vault's challenge says.
//
// E2E_EXTERNAL_SECRETS says that the operator's image is in the cluster.
func TestExternalSecretsOperator(t *testing.T) {
	if os.Getenv("E2E_EXTERNAL_SECRETS") == "" {
		t.Skip("E2E_EXTERNAL_SECRETS is not set: run `make test-eso`")
	}
	c := connect(t)
	c.helm(t, "upgrade", "--install", release, chartPath, "--set", "keyVault.enabled=true", "--set", "keyVault.publicHosts={"+azureDomain+"}",
		"--namespace", namespace, "--create-namespace", "--wait", "--timeout", "5m")
	t.Cleanup(func() { c.describeFailure(t) })
	o := c.newExternalSecrets(t)
	o.setGreeting(t, "hello")
	o.install(t)
	for _, sdk := range []azureStore{{"autorest", o.public, false}, {"azcore", o.own, true}} {
		t.Run(sdk.name, func(t *testing.T) { o.testFollowing(t, sdk) })
		t.Run(sdk.name+" pushes", func(t *testing.T) { o.testPushing(t, sdk) })
		t.Run(sdk.name+" without a role", func(t *testing.T) { o.testRefusal(t, sdk) })
	}
	c.helm(t, "uninstall", operator, "--namespace", o.home, "--wait")
	c.helm(t, "uninstall", release, "--namespace", namespace, "--wait")
}

// azureStore is a way to the vault: by a URL, with the operator's SDK of today, azcore, or the one that it takes by default.
type azureStore struct {
	name, url string
	azcore    bool
}

// externalSecrets is a namespace with the operator and a vault.
type externalSecrets struct {
	*cluster
	home string

	// reader may read the vault's secrets, officer may set them too, and stranger has no role. All are the operator's.
	reader, officer, stranger *v1alpha1.ManagedIdentity

	// own and public are the vault's URLs: at its own name, and at one of Azure.
	own, public string

	// writer is a pod that has the vault's secrets, as officer.
	writer *corev1.Pod
}

func (c *cluster) newExternalSecrets(t *testing.T) *externalSecrets {
	home := c.namespace(t)
	host := home + "." + azureDomain
	o := &externalSecrets{cluster: c, home: home, own: "https://" + home + "." + vaultDomain, public: "https://" + host,
		reader: c.identity(t, home+"-reader", home), officer: c.identity(t, home+"-officer", home), stranger: c.identity(t, home+"-stranger", home)}
	c.create(t, &v1alpha1.KeyVault{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: home},
		Spec:       v1alpha1.KeyVaultSpec{PublicHosts: []v1alpha1.VaultHost{v1alpha1.VaultHost(host)}},
	})
	c.assign(t, home, o.officer.Name, v1alpha1.KeyVaultSecretsOfficer)
	c.assign(t, home, o.reader.Name, v1alpha1.KeyVaultSecretsUser)
	o.writer = c.start(t, newProbePod(c, home, "writer", "wait").withIdentity(o.officer.Name).trustingInstallation().withAzureHosts(host))
	return o
}

// setGreeting sets the vault's secret greeting, by the host of Azure: it is the last to be served.
func (o *externalSecrets) setGreeting(t *testing.T, value string) {
	t.Helper()
	o.awaitSecret(t, o.writer, value, "--set", value, "--vault", o.public)
}

// install installs the operator with its chart and kinds, which its module has.
func (o *externalSecrets) install(t *testing.T) {
	t.Helper()
	module := operatorFolder(t)
	kinds, err := filepath.Glob(filepath.Join(module, "config/crds/bases/*external-secrets.io_*.yaml"))
	must(t, err, "find the operator's kinds")
	for _, path := range kinds {
		content, err := os.ReadFile(path)
		must(t, err, "read a kind")
		kind := &unstructured.Unstructured{}
		must(t, yaml.Unmarshal(content, kind), "read the kind in %s", path)
		o.create(t, kind)
	}
	values, err := json.Marshal(map[string]any{
		"image":          map[string]string{"repository": "kube-imds/" + operator, "tag": o.version},
		"installCRDs":    false,
		"webhook":        map[string]bool{"create": false},
		"certController": map[string]bool{"create": false},
		"podAnnotations": map[string]string{
			v1alpha1.IdentityAnnotation:   strings.Join([]string{o.reader.Name, o.officer.Name, o.stranger.Name}, ","),
			v1alpha1.TrustAnnotation:      "true",
			v1alpha1.AzureHostsAnnotation: strings.TrimPrefix(o.public, "https://"),
		},
	})
	must(t, err, "render the values")
	path := filepath.Join(t.TempDir(), "values.json")
	must(t, os.WriteFile(path, values, 0o644), "write the values")
	o.helm(t, "upgrade", "--install", operator, completeChart(t, module), "--values", path, "--namespace", o.home, "--wait", "--timeout", "3m")
}

// operatorFolder returns the folder of the operator's module, which may have been removed since its image was built.
func operatorFolder(t *testing.T) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", operatorModule)
	command.Dir = operatorPath
	output, err := command.Output()
	must(t, err, "get the operator's module")
	var module struct{ Dir string }
	must(t, json.Unmarshal(output, &module), "read where the operator's module is")
	return module.Dir
}

// completeChart returns a copy of the operator's chart with a chart that it depends on, which is off and published elsewhere: Helm wants it to be
// there.
func completeChart(t *testing.T, module string) string {
	t.Helper()
	chart := filepath.Join(t.TempDir(), operator)
	must(t, os.CopyFS(chart, os.DirFS(filepath.Join(module, "deploy/charts/external-secrets"))), "copy the operator's chart")
	const bitwarden = "bitwarden-sdk-server"
	folder := filepath.Join(chart, "charts", bitwarden)
	must(t, os.MkdirAll(folder, 0o755), "make a folder for a chart")
	must(t, os.WriteFile(filepath.Join(folder, "Chart.yaml"), []byte("apiVersion: v2\nname: "+bitwarden+"\nversion: 0.5.1\n"), 0o644), "write a chart")
	return chart
}

// testFollowing changes the value in the vault, and the Secrets follow.
func (o *externalSecrets) testFollowing(t *testing.T, store azureStore) {
	secrets := o.synchronize(t, store, o.reader)
	for _, value := range []string{"hello by " + store.name, "hello again by " + store.name} {
		o.setGreeting(t, value)
		o.awaitGreeting(t, secrets, value)
	}
}

// testPushing has the operator set a secret in the vault, as a Secret has it, and delete it.
func (o *externalSecrets) testPushing(t *testing.T, store azureStore) {
	name := store.name + "-pushed"
	o.createStore(t, name, store, o.officer)
	source := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: o.home, Name: name}, StringData: map[string]string{"greeting": "hello"}}
	o.create(t, source)
	push := o.createKind(t, "v1alpha1", "PushSecret", name, map[string]any{
		"refreshInterval": "1s", "deletionPolicy": "Delete", "secretStoreRefs": []any{map[string]any{"name": name}},
		"selector": map[string]any{"secret": map[string]any{"name": name}},
		"data":     []any{map[string]any{"match": map[string]any{"secretKey": "greeting", "remoteRef": map[string]any{"remoteKey": name}}}},
	})
	o.awaitInVault(t, name, "hello")
	source.StringData = map[string]string{"greeting": "hello again"}
	must(t, o.Update(t.Context(), source), "change the Secret")
	o.awaitInVault(t, name, "hello again")
	o.delete(t, push)
	o.awaitVault(t, o.writer, http.StatusNotFound, "", o.own+"/secrets/"+name+"?api-version=7.6")
	o.awaitVault(t, o.writer, http.StatusOK, "", o.own+"/deletedsecrets/"+name+"?api-version=7.6")
}

// awaitInVault waits until a secret of the vault has a value.
func (o *externalSecrets) awaitInVault(t *testing.T, name, value string) {
	t.Helper()
	o.awaitVault(t, o.writer, http.StatusOK, value, o.own+"/secrets/"+name+"?api-version=7.6")
}

// testRefusal has the operator ask as an identity that has no role.
func (o *externalSecrets) testRefusal(t *testing.T, store azureStore) {
	store.name += "-refused"
	o.awaitRefusal(t, o.synchronize(t, store, o.stranger))
}

// synchronize has the operator read the vault's secrets as an identity, and keep two Secrets of them: of a secret by its name, and of those that the
// vault's list has. It returns their names, which their ExternalSecrets have too.
func (o *externalSecrets) synchronize(t *testing.T, store azureStore, identity *v1alpha1.ManagedIdentity) []string {
	t.Helper()
	o.createStore(t, store.name, store, identity)
	var names []string
	for _, secret := range []struct {
		name, field string
		from        map[string]any
	}{
		{store.name + "-named", "data", map[string]any{"secretKey": "greeting", "remoteRef": map[string]any{"key": "greeting"}}},
		{store.name + "-found", "dataFrom", map[string]any{"find": map[string]any{"name": map[string]any{"regexp": "^greet"}}}},
	} {
		o.createKind(t, "v1", "ExternalSecret", secret.name, map[string]any{
			"refreshInterval": "1s", "secretStoreRef": map[string]any{"name": store.name}, secret.field: []any{secret.from},
		})
		names = append(names, secret.name)
	}
	return names
}

// createStore tells the operator of the vault, and as which identity it asks.
func (o *externalSecrets) createStore(t *testing.T, name string, store azureStore, identity *v1alpha1.ManagedIdentity) {
	t.Helper()
	o.createKind(t, "v1", "SecretStore", name, map[string]any{"provider": map[string]any{"azurekv": map[string]any{
		"authType": "ManagedIdentity", "identityId": string(identity.Status.ClientID), "vaultUrl": store.url, "useAzureSDK": store.azcore,
	}}})
}

func (o *externalSecrets) createKind(t *testing.T, version, kind, name string, spec map[string]any) *unstructured.Unstructured {
	t.Helper()
	object := newOperatorKind(version, kind)
	object.SetNamespace(o.home)
	object.SetName(name)
	object.Object["spec"] = spec
	o.create(t, object)
	return object
}

func newOperatorKind(version, kind string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("external-secrets.io/" + version)
	object.SetKind(kind)
	return object
}

// awaitGreeting waits until the Secrets have the value.
func (o *externalSecrets) awaitGreeting(t *testing.T, names []string, value string) {
	t.Helper()
	for _, name := range names {
		eventually(t, 2*time.Minute, fmt.Sprintf("the Secret %s has %q", name, value), func(ctx context.Context) error {
			var secret corev1.Secret
			if err := o.Get(ctx, client.ObjectKey{Namespace: o.home, Name: name}, &secret); err != nil {
				return fmt.Errorf("%w: %s", err, o.eventsOf(ctx, name))
			}
			if got := string(secret.Data["greeting"]); got != value {
				return fmt.Errorf("got %q: %s", got, o.eventsOf(ctx, name))
			}
			return nil
		})
	}
}

// awaitRefusal waits until the ExternalSecrets are not ready and their events have the vault's 403.
func (o *externalSecrets) awaitRefusal(t *testing.T, names []string) {
	t.Helper()
	for _, name := range names {
		eventually(t, 2*time.Minute, "the operator tells of the 403 for "+name, func(ctx context.Context) error {
			object := newOperatorKind("v1", "ExternalSecret")
			if err := o.Get(ctx, client.ObjectKey{Namespace: o.home, Name: name}, object); err != nil {
				return err
			}
			conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
			if err != nil {
				return err
			}
			told, events := fmt.Sprint(conditions), o.eventsOf(ctx, name)
			if !strings.Contains(told, "reason:SecretSyncedError status:False type:Ready") {
				return fmt.Errorf("conditions %s, events %s", told, events)
			}
			for _, part := range []string{"403", "Forbidden", "Microsoft.KeyVault/vaults/secrets/"} {
				if !strings.Contains(events, part) {
					return fmt.Errorf("no %s in the events %s", part, events)
				}
			}
			return nil
		})
	}
}

// eventsOf returns what is told of an object.
func (o *externalSecrets) eventsOf(ctx context.Context, name string) string {
	var events corev1.EventList
	if err := o.List(ctx, &events, client.InNamespace(o.home)); err != nil {
		return err.Error()
	}
	var told []string
	for _, event := range events.Items {
		if event.InvolvedObject.Name == name {
			told = append(told, event.Message)
		}
	}
	return strings.Join(told, "\n")
}
