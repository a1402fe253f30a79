package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/explain"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// plugin is the path of kubectl-imds, which is built once.
var plugin = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "kubectl-imds")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "kubectl-imds")
	output, err := exec.Command("go", "build", "-o", path, "../../cmd/kubectl-imds").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: string(output), Err: err}
	}
	return path, nil
})

// kubectlIMDS runs kubectl imds as the administrator, and returns its output and the message of its failure.
func kubectlIMDS(t *testing.T, input string, arguments ...string) (output, failure string) {
	t.Helper()
	path, err := plugin()
	if err != nil {
		t.Fatal("build the plugin:", err)
	}
	command := exec.CommandContext(t.Context(), path, arguments...)
	command.Env = append(os.Environ(), "KUBECONFIG="+adminKubeconfig(t), "HOME="+t.TempDir())
	command.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), stderr.String()
	}
	return stdout.String(), ""
}

func adminKubeconfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"c": {
			Server: adminConfig.Host, CertificateAuthorityData: adminConfig.CAData,
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"u": {
			ClientCertificateData: adminConfig.CertData, ClientKeyData: adminConfig.KeyData,
		}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// explained is a namespace with the ServiceAccount orders, and the Deployment orders, which asks for three identities: PREFIX-open, which
// admits it, PREFIX-closed, which does not, and PREFIX-missing.
type explained struct {
	namespace string
	open      *v1alpha1.ManagedIdentity
	prefix    string
}

func newExplained(t *testing.T, prefix string) explained {
	t.Helper()
	t.Parallel()
	needController(t)
	namespace := createNamespace(t).Name
	createAccount(t, namespace, "orders", "")
	open := createIdentity(t, build.NewIdentity(prefix+"-open").Admitting(namespace, "orders"))
	closed := createIdentity(t, build.NewIdentity(prefix+"-closed"))
	awaitReady(t, open, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	awaitReady(t, closed, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	labels := map[string]string{"app": "orders"}
	create(t, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "orders", Annotations: map[string]string{v1alpha1.InjectAnnotation: "true"}},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{
					v1alpha1.IdentityAnnotation: prefix + "-open, " + prefix + "-closed, " + prefix + "-missing",
				}},
				Spec: corev1.PodSpec{ServiceAccountName: "orders", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
			},
		},
	})
	return explained{namespace, open, prefix}
}

func TestExplainDeployment(t *testing.T) {
	e := newExplained(t, "explained")
	output, failure := kubectlIMDS(t, "", "explain", "deploy/orders", "--namespace", e.namespace)
	want := strings.NewReplacer("NAMESPACE", e.namespace, "CLIENT-ID", string(e.open.Status.ClientID)).Replace(`Deployment       NAMESPACE/orders
ServiceAccount   orders
IMDS             yes, the pod has the annotation kube-imds.io/identity
Identities by    the pod's annotation kube-imds.io/identity
Default          explained-open

IDENTITY            GRANTED   CLIENT ID OR REASON
explained-open      yes       CLIENT-ID
explained-closed    no        NotAdmitted: ManagedIdentity "explained-closed" does not admit the ServiceAccount "orders" of namespace "NAMESPACE": its administrator can add them to spec.assumableBy
explained-missing   no        IdentityNotFound: ManagedIdentity "explained-missing" does not exist: create it, or ask for another with the annotation kube-imds.io/identity

Hint: the annotation kube-imds.io/inject of the Deployment itself has no effect: move it to the annotations of its pod template
`)
	if diff := cmp.Diff(want, output); diff != "" || failure != "" {
		t.Errorf("%s (-want +got):\n%s", failure, diff)
	}
}

func TestExplainAsJSON(t *testing.T) {
	e := newExplained(t, "as-json")
	create(t, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "plain"},
		Spec:       corev1.PodSpec{ServiceAccountName: "orders", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	})
	createBinding(t, e.namespace, "orders", "as-json-open")
	output, failure := kubectlIMDS(t, "", "explain", "plain", "serviceaccount/orders", "--namespace", e.namespace, "-o", "json")
	var got []explain.Explanation
	if err := json.Unmarshal([]byte(output), &got); err != nil {
		t.Fatalf("%v: %s%s", err, output, failure)
	}
	granted := []explain.Granted{{
		Identity: "as-json-open", ClientID: e.open.Status.ClientID, PrincipalID: e.open.Status.PrincipalID,
		ResourceID: e.open.Status.ResourceID, TokenSource: v1alpha1.TokenSourceLocal,
	}}
	hint := `pods get no IMDS: annotate them with kube-imds.io/inject: "true", or label the namespace with kube-imds.io/inject=enabled`
	neither := "neither the pod nor its namespace asks for it"
	want := []explain.Explanation{
		{
			Kind: "Pod", Namespace: e.namespace, Name: "plain", ServiceAccount: "orders", Injection: explain.Injection{Injected: new(false), Reason: neither},
			Source: "IdentityBinding", Default: "as-json-open", Granted: granted, Refused: []explain.Refused{}, Hints: []string{hint},
		},
		{
			Kind: "ServiceAccount", Namespace: e.namespace, Name: "orders", ServiceAccount: "orders", Injection: explain.Injection{Reason: neither},
			Source: "IdentityBinding", Default: "as-json-open", Granted: granted, Refused: []explain.Refused{}, Hints: []string{hint},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("explanations (-want +got):\n%s", diff)
	}
}

// A manifest is explained as if it were applied: its Namespace, ServiceAccount and identity count.
func TestExplainFile(t *testing.T) {
	e := newExplained(t, "in-file")
	manifest := strings.NewReplacer("NAMESPACE", e.namespace).Replace(`apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE, labels: {kube-imds.io/inject: enabled}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: orders, annotations: {kube-imds.io/identity: in-file-closed}}
---
apiVersion: kube-imds.io/v1alpha1
kind: ManagedIdentity
metadata: {name: in-file-closed}
spec: {assumableBy: [{namespaces: [NAMESPACE], serviceAccounts: [orders]}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "@daily"
  jobTemplate: {spec: {template: {spec: {serviceAccountName: orders, containers: [{name: app, image: app}], restartPolicy: Never}}}}
`)
	output, failure := kubectlIMDS(t, manifest, "explain", "-f", "-", "--namespace", e.namespace)
	for _, line := range []string{
		"CronJob          " + e.namespace + "/nightly",
		"IMDS             yes, the namespace has the label kube-imds.io/inject",
		"Identities by    the ServiceAccount's annotation kube-imds.io/identity",
		"in-file-closed   yes       ",
	} {
		if !strings.Contains(output, line) {
			t.Errorf("no line %q in\n%s%s", line, output, failure)
		}
	}
}

func TestExplainFails(t *testing.T) {
	e := newExplained(t, "fails")
	create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "settings"}})
	for name, test := range map[string]struct {
		arguments []string
		want      string
	}{
		"no object":      {nil, "name a pod"},
		"unknown pod":    {[]string{"orders-0"}, `pods "orders-0" not found`},
		"no pods":        {[]string{"configmap/settings"}, "ConfigMap settings: it has no pods"},
		"unknown format": {[]string{"deploy/orders", "-o", "xml"}, `unknown format "xml"`},
		"missing file":   {[]string{"-f", "missing.yaml"}, `the path "missing.yaml" does not exist`},
		"no right":       {[]string{"deploy/orders", "--as", "mallory"}, `User "mallory" cannot get resource "deployments"`},
	} {
		_, failure := kubectlIMDS(t, "", append([]string{"explain", "--namespace", e.namespace}, test.arguments...)...)
		if !strings.Contains(failure, test.want) {
			t.Errorf("%s: got %q, want %q", name, failure, test.want)
		}
	}
}

// The help names the rights that explain needs. These are enough.
func TestRightsOfExplain(t *testing.T) {
	e := newExplained(t, "rights")
	create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: e.namespace}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts", "namespaces"}, Verbs: []string{"get"}},
		{APIGroups: []string{"kube-imds.io"}, Resources: []string{"managedidentities"}, Verbs: []string{"get"}},
		{APIGroups: []string{"kube-imds.io"}, Resources: []string{"identitybindings"}, Verbs: []string{"list"}},
	}})
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: e.namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: e.namespace},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "developer"}},
	})
	eventually(t, func(context.Context) string {
		_, failure := kubectlIMDS(t, "", "explain", "deploy/orders", "--namespace", e.namespace, "--as", "developer")
		return failure
	})
}
